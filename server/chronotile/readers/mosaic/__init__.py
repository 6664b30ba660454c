"""Overlapping scenes and tiles, each with a grid and an encoding of its own, read as one raster an instant."""
