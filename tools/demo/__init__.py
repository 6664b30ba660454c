"""The landscape of the demo archive: a synthetic central Belgium through five years of seasons, clouds and snow."""
