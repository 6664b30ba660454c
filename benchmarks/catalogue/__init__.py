"""The STAC API over a million items, compared with stac-fastapi-pgstac."""
