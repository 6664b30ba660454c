"""Tests and their common modules: a package with an `__init__`, since libraries install one of the same name."""
