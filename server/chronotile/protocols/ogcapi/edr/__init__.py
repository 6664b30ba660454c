"""OGC API Environmental Data Retrieval (OGC 19-086r6)."""
