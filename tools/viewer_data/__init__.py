"""What the viewer's search and ground are made of: GeoNames and Natural Earth."""
