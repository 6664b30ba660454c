"""`/openapi.json` and `/docs`."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.http.endpoint import problem_response
from chronotile.http.respond import respond_with_document
from chronotile.http.run import base_url, services_of, state_of
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.changes.routes import operations as changes
from chronotile.protocols.catalogue.items.routes import operations as items
from chronotile.protocols.catalogue.odata.routes import operations as odata
from chronotile.protocols.catalogue.products.routes import operations as products
from chronotile.protocols.catalogue.stac.routes import operations as stac
from chronotile.protocols.common.html_page import OperationsPage, PageLink, operations_page, with_operations_policy
from chronotile.protocols.common.openapi import FILE, TEXT, Json
from chronotile.protocols.common.operation import Operation, routes_of
from chronotile.protocols.data.zarr.routes import operations as zarr
from chronotile.protocols.maps.animations.routes import operations as animations
from chronotile.protocols.maps.cubes.routes import operations as cubes
from chronotile.protocols.maps.tiles.routes import operations as tiles
from chronotile.protocols.places.routes import operations as places
from chronotile.protocols.site.landing.routes import operations as landing
from chronotile.protocols.site.layers.routes import operations as layers
from chronotile.protocols.site.openapi.document import openapi_document
from chronotile.protocols.site.ops.routes import operations_of
from chronotile.protocols.timeseries.routes import operations as series

MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.1"
DOCUMENT = "openapi.json"


async def get_document(request: Request) -> Response:
    """Return the OpenAPI document."""
    services, base = services_of(request), base_url(request)
    make = partial(_encode, services, base)
    return await respond_with_document(request, services, make, key=("openapi", base), media_type=MEDIA_TYPE)


async def get_page(request: Request) -> Response:
    """Return the document as a page."""
    services, base, has_viewer = services_of(request), base_url(request), state_of(request).viewer.is_complete
    make = partial(_render, services, base, has_viewer=has_viewer)
    key = ("docs", base, has_viewer)
    response = await respond_with_document(request, services, make, key=key, media_type="text/html")
    return with_operations_policy(response, has_forms=has_viewer)


def _encode(services: Services, base: str) -> bytes:
    return orjson.dumps(_document(services, base))


def _render(services: Services, base: str, *, has_viewer: bool) -> bytes:
    document = _document(services, base)
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


def _document(services: Services, base: str) -> Json:
    return openapi_document(services.catalogue, OPERATIONS, base=base)


OWN = (
    Operation(
        f"/{DOCUMENT}",
        get_document,
        "getOpenApi",
        "This document",
        tag="Service",
        faults=problem_response,
        answers={MEDIA_TYPE: FILE},
        refusals=("Unavailable",),
    ),
    Operation(
        "/docs",
        get_page,
        "getDocs",
        "The same as a page",
        tag="Service",
        faults=problem_response,
        answers={"text/html": TEXT},
        refusals=("Unavailable",),
    ),
)
OPERATIONS = (
    *(*layers, *products, *items, *changes, *stac, *tiles, *animations, *cubes, *zarr, *series, *places, *odata),
    *(*landing, *OWN, *operations_of()),
)
"""In the order of the document."""
routes = routes_of(OWN)
