"""STAC API 1.0: the collections that are served, and searches of their items."""
