"""Reducers of many values to few."""
