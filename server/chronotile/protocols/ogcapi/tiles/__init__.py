"""OGC API Tiles (OGC 20-057): of maps, and vector tiles of places."""
