"""TiTiler's own endpoints for a user's GeoTIFF, only from allowed places; off unless some are."""
