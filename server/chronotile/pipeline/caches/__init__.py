"""Caches that live longer than a request, each with a limit in bytes."""
