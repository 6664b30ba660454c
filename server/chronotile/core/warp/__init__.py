"""Grids onto grids: which level and window to read, and which cells each pixel takes. Opens no file."""
