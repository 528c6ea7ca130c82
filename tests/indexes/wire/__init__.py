"""Loopback servers that speak the documented protocols of vector services which cannot run here."""
