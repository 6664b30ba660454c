"""Products: files of items as they are."""
