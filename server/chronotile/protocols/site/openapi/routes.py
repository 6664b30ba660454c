"""`/openapi.json` and `/docs`."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.types import Json
from chronotile.http.base_urls import base_url
from chronotile.http.document_answers import answer_document
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.server_state import state_of
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.changes.routes import operations as changes
from chronotile.protocols.catalogue.items.routes import operations as items
from chronotile.protocols.catalogue.odata.routes import operations as odata
from chronotile.protocols.catalogue.opensearch.routes import operations as opensearch
from chronotile.protocols.catalogue.products.routes import operations as products
from chronotile.protocols.catalogue.stac.routes import operations as stac
from chronotile.protocols.common.openapi import FILE, TEXT, optional_security, security_schemes
from chronotile.protocols.common.openapi_examples import examples_of
from chronotile.protocols.common.operation import Operation, info_of, paths_of, refusal, routes_of
from chronotile.protocols.common.operations_page import OperationsPage, PageLink, operations_page, set_operations_policy
from chronotile.protocols.data.zarr.routes import operations as zarr
from chronotile.protocols.maps.animations.routes import operations as animations
from chronotile.protocols.maps.cubes.routes import operations as cubes
from chronotile.protocols.maps.tiles.routes import operations as tiles
from chronotile.protocols.places.routes import operations as places
from chronotile.protocols.site.landing.routes import operations as landing
from chronotile.protocols.site.layers.routes import operations as layers
from chronotile.protocols.site.openapi.schemas import SCHEMAS
from chronotile.protocols.site.ops.routes import operations_of
from chronotile.protocols.site.viewer.routes import operations as viewer
from chronotile.protocols.timeseries.routes import operations as series

VERSION = "3.1.1"
REFUSALS = {
    "BadRequest": "A parameter is missing or not accepted, or the answer would be larger than a limit",
    "Unauthorized": "The header `Authorization` is missing or its token is wrong",
    "Forbidden": "The operator does not allow it",
    "NotFound": "The layer, set, tile or time does not exist",
    "Conflict": "The item exists already, or other requests change it at the same time",
    "Gone": "The cursor is older than the list of removed items; list all items, and start again",
    "TooLarge": "The body is larger than `max_body_bytes`",
    "TooMany": "Too many downloads or wrong tokens of a client; try again after `Retry-After` seconds",
    "Unavailable": "A source cannot be read now, or too many requests wait; try again after `Retry-After` seconds",
}


def openapi_document(catalogue: Catalogue, *, base: str) -> Json:
    """Return the OpenAPI 3.1 document of all endpoints except OGC services, with examples for this catalogue.

    Args:
        catalogue: The served catalogue.
        base: Public URL without a slash at the end.
    """
    schemes = security_schemes(catalogue)
    return {
        "openapi": VERSION,
        "info": info_of(catalogue.service, catalogue.service.languages[0]),
        "servers": [{"url": base}],
        **optional_security(schemes),
        "paths": paths_of(OPERATIONS, examples_of(catalogue)),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"writeToken": {"type": "http", "scheme": "bearer"}, **schemes},
            "responses": {name: refusal(description) for name, description in REFUSALS.items()},
        },
    }


MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.1"
DOCUMENT = "openapi.json"


async def get_document(request: Request) -> Response:
    """Return the OpenAPI document."""
    services, base = services_of(request), base_url(request)

    def make() -> bytes:
        return orjson.dumps(openapi_document(services.catalogue, base=base))

    return await answer_document(request, services, make, key=("openapi", base), media_type=MEDIA_TYPE)


async def get_page(request: Request) -> Response:
    """Return the OpenAPI document as a page."""
    services, base, has_viewer = services_of(request), base_url(request), state_of(request).viewer.is_complete
    make = partial(_render, services, base, has_viewer=has_viewer)
    key = ("docs", base, has_viewer)
    response = await answer_document(request, services, make, key=key, media_type="text/html")
    return set_operations_policy(response, has_forms=has_viewer)


def _render(services: Services, base: str, *, has_viewer: bool) -> bytes:
    document = openapi_document(services.catalogue, base=base)
    page = OperationsPage(
        title=document["info"]["title"],
        version="3.1",
        description=DOCUMENT,
        server="./",
        viewer="viewer" if has_viewer else None,
        related=(
            PageLink(title="Start", href="./"),
            PageLink(title="The same as OpenAPI 3.1", href=DOCUMENT),
            PageLink(title="API reference of OGC API", href="ogcapi/openapi?f=html"),
        ),
    )
    return operations_page(document, page)


describe = partial(Operation, tag="Service", faults=problem_response, refusals=("Unavailable",))
OWN = (
    describe(f"/{DOCUMENT}", get_document, "getOpenApi", "This document", answers={MEDIA_TYPE: FILE}),
    describe("/docs", get_page, "getDocs", "The same as a page", answers={"text/html": TEXT}),
)
OPERATIONS = (
    *(*layers, *products, *items, *changes, *stac, *tiles, *animations, *cubes, *zarr, *series, *places, *odata),
    *(*opensearch, *landing, *viewer, *OWN, *operations_of()),
)
"""All operations, in the order of the document."""
routes = routes_of(OWN)
