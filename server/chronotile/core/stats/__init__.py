"""Many values to few: reducers."""
