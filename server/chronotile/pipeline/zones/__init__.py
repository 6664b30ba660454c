"""Polygons onto cells: outlines, clipping, runs of cells, weights. Opens no file."""
