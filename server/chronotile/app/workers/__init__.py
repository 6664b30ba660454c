"""Several worker processes that serve one address, and their supervisor."""
