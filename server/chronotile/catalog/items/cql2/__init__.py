"""Filters in CQL2 (OGC 21-065r2): read, bounded, and made into conditions on the tables of the index."""
