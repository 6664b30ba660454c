"""Geometries: points, areas, GeoJSON from clients."""
