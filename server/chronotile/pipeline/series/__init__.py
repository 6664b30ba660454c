"""Verbs of values along time: of points, areas and places."""
