"""Verbs of vector tiles of places."""
