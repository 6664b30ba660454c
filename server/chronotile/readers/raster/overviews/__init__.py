"""Coarser copies of raster files that have none: previews in files, and what their blocks imply."""
