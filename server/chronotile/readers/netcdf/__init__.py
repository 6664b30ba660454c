"""NetCDF files."""
