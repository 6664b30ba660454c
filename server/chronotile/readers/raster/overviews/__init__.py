"""Coarser levels of raster files without overviews: previews on disk, and levels made while reading."""
