"""References of kerchunk: Zarr stores whose chunks are ranges of bytes in other files."""
