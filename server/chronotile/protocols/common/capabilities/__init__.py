"""What the capabilities of WMS and WMTS have in common."""
