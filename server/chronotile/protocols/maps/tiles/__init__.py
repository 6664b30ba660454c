"""XYZ tiles with TileJSON and legends, for Leaflet, OpenLayers and MapLibre."""
