"""Zarr stores, serving cubes among them."""
