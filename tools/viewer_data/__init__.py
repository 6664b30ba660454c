"""Data for the viewer's search and ground, from GeoNames and Natural Earth."""
