"""The CF conventions: axes, grids, CRS, encodings and times of arrays."""
