"""Cloud-optimised GeoTIFFs that are read by their block tables, without GDAL (docs/design/cog-blocks.md)."""
