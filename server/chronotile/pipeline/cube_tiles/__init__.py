"""Verbs of cube tiles."""
