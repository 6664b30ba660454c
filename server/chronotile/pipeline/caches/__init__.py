"""Caches that persist between requests, each with a bound in bytes."""
