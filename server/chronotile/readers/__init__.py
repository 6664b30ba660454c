"""Pixels: Zarr cubes, raster stacks and NetCDF files read into rasters and samples."""
