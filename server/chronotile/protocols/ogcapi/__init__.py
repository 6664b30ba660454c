"""OGC API: a tree of collections with coverages, environmental data retrieval, tiles, maps and styles."""
