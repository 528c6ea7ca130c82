"""Shared by indexes that live in this process: table of points, filters, file."""
