"""Raster files, one date or many dates each, read as one source."""
