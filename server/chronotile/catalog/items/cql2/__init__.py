"""Filters in CQL2 (OGC 21-065r2): parsed, limited, and translated into conditions on the tables of the index."""
