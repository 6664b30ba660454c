"""Products: unchanged files of items."""
