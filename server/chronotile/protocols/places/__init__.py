"""Sets of named geometries: lists, GeoJSON, vector tiles, and values to colour them with."""
