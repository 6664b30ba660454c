"""STAC documents: items, and the metadata of collections, as values of the model."""
