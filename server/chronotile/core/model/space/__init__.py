"""Coordinate reference systems, boxes, grids and tile matrix sets."""
