"""`/ogcapi/collections/{collectionId}/locations` and `/items`: what there is, as features."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chronotile.model.collection import Layer
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.parameter import LANG, F
from chronotile.protocols.common.responses.respond import respond_with_content
from chronotile.protocols.common.state import in_documents
from chronotile.protocols.ogcapi.edr.data_request import DataRequest, parse_data_query
from chronotile.protocols.ogcapi.edr.faults import edr_fault
from chronotile.protocols.ogcapi.edr.features import features_query
from chronotile.protocols.ogcapi.edr.formats import GEOJSON, MEDIA_TYPES, OF_FEATURES
from chronotile.protocols.ogcapi.edr.items import Items, item_document, items_document
from chronotile.protocols.ogcapi.edr.locations import Locations, require_sets
from chronotile.protocols.ogcapi.edr.params import check_query


async def get_locations(request: Request) -> Response:
    """Return a page of the places that there are."""
    data_request = parse_data_query(request)
    data_request.format_among(OF_FEATURES)
    catalogue = data_request.services.catalogue
    sets = require_sets(data_request.offered, catalogue)
    selection = features_query(data_request.offered, data_request.query, catalogue)
    locations = Locations(
        offered=data_request.offered,
        sets=sets,
        root=base_url(request),
        address=data_request.address,
        language=language_of(request, data_request.query),
    )
    return await _features(request, partial(locations.document, selection, data_request.services.clock))


async def get_items(request: Request) -> Response:
    """Return a page of the times that there are."""
    data_request = parse_data_query(request)
    data_request.format_among(OF_FEATURES)
    selection = features_query(data_request.offered, data_request.query, data_request.services.catalogue)
    items = _items(request, data_request, selection.layers)
    return await _features(request, partial(items_document, items, selection, data_request.services.clock))


async def get_item(request: Request) -> Response:
    """Return one of them."""
    data_request = parse_data_query(request)
    data_request.format_among(OF_FEATURES)
    check_query(data_request.query, (F, LANG))
    items = _items(request, data_request, tuple(data_request.offered.fields.values()))
    return await _features(request, partial(item_document, items, request.path_params["itemId"]))


def _items(request: Request, data_request: DataRequest, layers: tuple[Layer, ...]) -> Items:
    language = language_of(request, data_request.query)
    return Items(offered=data_request.offered, layers=layers, address=data_request.address, language=language)


async def _features(request: Request, make: Callable[[], bytes]) -> Response:
    body = await in_documents(request, make)
    response = respond_with_content(body, MEDIA_TYPES[GEOJSON], request)
    response.headers["Vary"] = "Accept, Accept-Language"
    return response


def list_routes(collection: str) -> list[BaseRoute]:
    """Return the routes below the path of a collection."""
    return [
        Route(f"{collection}/locations", endpoint(get_locations, edr_fault)),
        Route(f"{collection}/items", endpoint(get_items, edr_fault)),
        Route(f"{collection}/items/{{itemId}}", endpoint(get_item, edr_fault)),
    ]
