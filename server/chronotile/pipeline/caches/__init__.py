"""Caches that live longer than a request, with limits in bytes."""
