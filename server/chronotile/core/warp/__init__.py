"""Native grids onto requested grids: level and windows to read, and the cells of each pixel. Opens no file."""
