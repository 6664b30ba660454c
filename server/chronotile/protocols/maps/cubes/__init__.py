"""Cube tiles: all dates of a tile as numbers, for viewers that colour them themselves."""
