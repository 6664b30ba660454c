"""Layers as Zarr stores, and a user's own Cloud Optimized GeoTIFFs (TiTiler)."""
