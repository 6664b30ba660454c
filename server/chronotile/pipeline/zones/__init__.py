"""Polygons on grids: outlines, clipping, runs of cells and their weights. Opens no file."""
