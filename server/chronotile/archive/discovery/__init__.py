"""A configuration derived from the content of a folder."""
