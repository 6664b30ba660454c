"""Measurements of the viewer in a browser, compared with its goals."""
