"""Layers as Zarr stores, which programs open lazily."""
