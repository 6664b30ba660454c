"""OGC API Tiles (OGC 20-057): map tiles, and vector tiles of places."""
