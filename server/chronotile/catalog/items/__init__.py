"""Index of the items of mosaics and STAC collections: a database for searches of items by place and time."""
