"""Layers, their styles and their times."""
