"""OpenSearch with the extensions for earth observation (OGC 13-026r9), geometry and time (OGC 10-032r8)."""
