"""The STAC API over a million items, beside stac-fastapi-pgstac."""
