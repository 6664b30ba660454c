"""Caches of the readers, each with a size limit."""
