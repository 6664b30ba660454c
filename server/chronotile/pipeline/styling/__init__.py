"""Styles, painting and legends."""
