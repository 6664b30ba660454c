"""Comparison of served values with independent reads of their sources by rasterio and xarray, cell by cell."""
