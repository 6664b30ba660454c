"""Services, base URL and language of STAC documents, and lookups of collections."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from chronotile.catalog.offered import OfferedCollection, offered_collection
from chronotile.core.errors import UnknownCollection, UnknownLayer
from chronotile.core.model.types import Json
from chronotile.http.base_urls import base_url
from chronotile.http.request_services import services_of
from chronotile.pipeline.search.search_items import listed_collections
from chronotile.pipeline.services import Services
from chronotile.protocols.common.item_collections import unopened_collection
from chronotile.protocols.common.links import collection_path, link
from chronotile.protocols.common.localised_text import negotiate_language
from chronotile.protocols.common.openapi import security_schemes
from chronotile.protocols.common.operation import segment
from chronotile.protocols.common.query.kvp import Kvp

JSON_TYPE = "application/json"
GEOJSON_TYPE = "application/geo+json"
SCHEMA_TYPE = "application/schema+json"
REL_QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
IN_COLLECTION = segment("collection", "Id of the collection", example=lambda of: of.collection)

IN_ITEM = segment("item", "Id of the item", example=lambda of: of.item)


AUTHENTICATION = "https://stac-extensions.github.io/authentication/v1.1.0/schema.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StacContext:
    """Services, base URL and language of the documents of one answer."""

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
        return f"{self.base}{collection_path(collection)}"

    def authentication(self, extensions: Sequence[str] = ()) -> Json:
        """The members that list the extensions of a document and its ways of authentication."""
        schemes = security_schemes(self.services.catalogue)
        if not schemes:
            return {"stac_extensions": [*extensions]}
        return {"stac_extensions": [*extensions, AUTHENTICATION], "auth:schemes": schemes}

    @property
    def root_link(self) -> Json:
        """The link of every document to the landing page."""
        return link("root", self.root, JSON_TYPE, "All collections")


def stac_context(request: Request, query: Kvp) -> StacContext:
    """Return the context of the documents that a request is answered with.

    Raises:
        InvalidParameter: `lang` is not one of the service's languages.
    """
    return StacContext(
        services=services_of(request), base=base_url(request), language=negotiate_language(request, query)
    )


def has_layers(name: str, context: StacContext) -> bool:
    """Return whether a collection has layers: none if its first items were added after it was opened."""
    collection = context.services.catalogue.collections_by_id.get(name)
    return collection is not None and bool(collection.layers)


def collection_id(name: str, context: StacContext) -> str:
    """Return the id of a collection with items, with or without layers; raises the errors of `stac_collection`."""
    return name if name in listed_collections(context.services) else stac_collection(name, context).id


def stac_collection(name: str, context: StacContext) -> OfferedCollection:
    """Return a collection; if its files are unavailable it is read from the index.

    Raises:
        UnknownCollection: No collection has this id; the message lists similar ids.
        SourceUnavailable: Its source is unavailable.
    """
    catalogue = context.services.catalogue
    unopened = unopened_collection(name, context.services)
    if unopened is not None:
        return unopened
    try:
        offered = offered_collection(catalogue, name)
    except UnknownCollection as error:  # its message also lists layers, which are not collections in STAC
        message = error.message
        try:
            catalogue.collection(name)
        except UnknownLayer as unknown:
            message = unknown.message
        raise UnknownCollection(message, locator=error.locator) from error
    if offered.is_layer:
        raise UnknownCollection(
            f"{name[:80]!r} is a layer of collection {offered.collection.id}", locator="collectionId"
        )
    return offered
