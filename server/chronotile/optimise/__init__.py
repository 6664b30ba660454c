"""Serving cubes: written by `chronotile optimise`, and by jobs of the process *optimise*."""
