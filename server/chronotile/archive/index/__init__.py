"""Fills the index of items from files, STAC catalogues, STAC APIs and stac-geoparquet."""
