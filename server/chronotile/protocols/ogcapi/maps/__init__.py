"""OGC API Maps (OGC 20-058)."""
