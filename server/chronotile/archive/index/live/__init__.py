"""Collections whose items stay in the catalogue of others: their searches are passed to its STAC API."""
