"""A configuration made from what a folder holds."""
