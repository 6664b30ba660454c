"""Overlapping scenes and tiles with separate grids and encodings, read as one raster per instant."""
