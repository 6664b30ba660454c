"""OGC API Records: collections, and the items of all of them, as records."""
