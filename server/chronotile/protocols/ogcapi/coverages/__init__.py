"""OGC API Coverages (OGC 19-087)."""
