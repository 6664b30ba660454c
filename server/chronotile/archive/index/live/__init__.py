"""Live collections: their items stay in a remote catalogue, and searches are passed to its STAC API."""
