"""OGC API Styles (OGC 20-009)."""
