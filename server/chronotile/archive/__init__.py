"""The archive: opening, reloading, checks, descriptions."""
