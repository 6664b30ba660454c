"""What STAC documents are made of, and for whom."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collection, offered_collections
from chronotile.errors import UnknownCollection, UnknownLayer
from chronotile.pipeline.search.served_index import listed_collections
from chronotile.pipeline.services import Services
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.state import services_of

Json = dict[str, Any]

STAC_VERSION = "1.1.0"
JSON_TYPE = "application/json"
GEOJSON_TYPE = "application/geo+json"
SCHEMA_TYPE = "application/schema+json"
REL_QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"


@dataclass(frozen=True, slots=True, kw_only=True)
class StacContext:
    """The subject of documents, where they are, and in which language."""

    services: Services
    base: str
    """Public URL of the server without a slash at the end."""
    language: str

    @property
    def root(self) -> str:
        """The URL of the landing page."""
        return f"{self.base}/stac"

    def collection_url(self, collection: str) -> str:
        """Return the URL of a collection."""
        return f"{self.root}/collections/{quote(collection, safe='')}"

    def item_url(self, collection: str, item: str) -> str:
        """Return the URL of an item."""
        return f"{self.collection_url(collection)}/items/{quote(item, safe='')}"

    @property
    def root_link(self) -> Json:
        """The link of every document to the landing page."""
        return link("root", self.root, JSON_TYPE, "All collections")


def stac_context(request: Request, query: Kvp) -> StacContext:
    """Return what documents for a request are made of.

    Raises:
        InvalidParameter: `lang` is not one of the service's languages.
    """
    return StacContext(services=services_of(request), base=base_url(request), language=language_of(request, query))


def link(rel: str, href: str, media_type: str, title: str | None = None) -> Json:
    """Return a link of a STAC document."""
    found = {"rel": rel, "href": href, "type": media_type}
    return found if title is None else {**found, "title": title}


def stac_collections(context: StacContext) -> tuple[Offered, ...]:
    """Return all collections: those that are configured, without their layers."""
    return tuple(each for each in offered_collections(context.services.catalogue) if not each.is_layer)


def has_layers(collection: str, context: StacContext) -> bool:
    """Return whether a collection is listed: one whose first items were just added is not, until it is opened again."""
    found = context.services.catalogue.collections_by_id.get(collection)
    return found is not None and bool(found.layers)


def collection_id(name: str, context: StacContext) -> str:
    """Return the id of a collection whose items are listed, which it may be without layers; errors as below."""
    return name if name in listed_collections(context.services) else stac_collection(name, context).id


def stac_collection(name: str, context: StacContext) -> Offered:
    """Return the collection of that id.

    Raises:
        UnknownCollection: There is none; the message names the nearest.
        SourceUnavailable: Its source is away.
    """
    catalogue = context.services.catalogue
    try:
        found = offered_collection(catalogue, name)
    except UnknownCollection as error:  # which offers layers too, that are no collections here
        raise UnknownCollection(_without_layers(catalogue, name) or error.message, locator=error.locator) from error
    if found.is_layer:
        raise UnknownCollection(f"{name[:80]!r} is a layer of collection {found.collection.id}", locator="collectionId")
    return found


def _without_layers(catalogue: Catalogue, name: str) -> str | None:
    try:
        catalogue.collection(name)
    except UnknownLayer as error:
        return error.message
    return None
