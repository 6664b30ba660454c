"""Coverages: GeoTIFF, NetCDF, Zarr, CoverageJSON, PNG."""
