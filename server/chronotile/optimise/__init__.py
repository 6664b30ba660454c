"""Serving cubes: what `chronotile optimise` writes."""
