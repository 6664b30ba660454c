"""Collections as OGC API has them."""

from chronotile.catalog.offered import Offered, offered_collection, offered_collections

__all__ = ["Offered", "offered_collection", "offered_collections"]
