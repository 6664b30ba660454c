"""The viewer's own files."""
