"""Searches of items in the index and in other catalogues."""
