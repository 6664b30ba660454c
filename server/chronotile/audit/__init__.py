"""What is served, cell by cell, beside the same cells read with rasterio and xarray alone."""
