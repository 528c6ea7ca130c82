"""Filters of vector indexes: what a service is asked, and what is checked afterwards."""
