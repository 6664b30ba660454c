"""Index of the items of mosaics and STAC collections: a database that answers where and when items exist."""
