"""Measurements, one module per row of the table."""
