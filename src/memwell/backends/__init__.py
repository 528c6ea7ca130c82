"""One package per backend: all ports that it serves, on one client. A backend imports no other."""
