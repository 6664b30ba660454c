"""OGC API Records: collections as records, and the items of every collection."""
