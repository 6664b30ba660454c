"""OGC Web Coverage Service."""
