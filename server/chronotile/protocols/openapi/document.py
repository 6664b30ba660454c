"""The OpenAPI document of what is served here."""

from collections.abc import Collection

import chronotile
from chronotile.catalog.catalogue import Catalogue
from chronotile.protocols.animations.openapi import animation_paths
from chronotile.protocols.changes.openapi import change_paths
from chronotile.protocols.common.examples import examples_of
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import Json, ref
from chronotile.protocols.cubes.openapi import cube_paths
from chronotile.protocols.items.openapi import item_paths
from chronotile.protocols.layers.openapi import layer_paths
from chronotile.protocols.odata.openapi import odata_paths
from chronotile.protocols.openapi.paths_service import service_paths
from chronotile.protocols.openapi.schemas import SCHEMAS
from chronotile.protocols.places.openapi import place_paths
from chronotile.protocols.products.openapi import product_paths
from chronotile.protocols.stac.openapi import stac_paths
from chronotile.protocols.tiles.openapi import tile_paths
from chronotile.protocols.timeseries.openapi import series_paths, terrascope_paths
from chronotile.protocols.zarr.openapi import zarr_paths

VERSION = "3.1.1"
REFUSALS = {
    "BadRequest": "A parameter is missing or not accepted, or the answer would be larger than a limit",
    "Unauthorized": "The header `Authorization` is missing or has another token",
    "Forbidden": "The operator does not allow it",
    "NotFound": "There is no such layer, set, tile or time",
    "Conflict": "There is such an item already, or others change it at the same time",
    "Gone": "The cursor is so old that not all removed items are known; list all items, and begin again",
    "TooLarge": "The body is larger than `max_body_bytes`",
    "TooMany": "A client downloads as much as it may, or shows wrong tokens; try again after `Retry-After` seconds",
    "Unavailable": "A source cannot be read now, or too much waits already; try again after `Retry-After` seconds",
}


def openapi_document(catalogue: Catalogue, *, base: str, served: Collection[str]) -> Json:
    """Return what our own endpoints take and give, with examples that work here (OpenAPI 3.1).

    Args:
        catalogue: What is served.
        base: Public URL without a slash at the end.
        served: Paths that the application answers; others are left out.
    """
    examples = examples_of(catalogue)
    paths = {
        **layer_paths(examples),
        **product_paths(),
        **item_paths(examples),
        **change_paths(examples),
        **stac_paths(examples),
        **tile_paths(examples),
        **animation_paths(examples),
        **cube_paths(examples),
        **zarr_paths(examples),
        **series_paths(examples),
        **terrascope_paths(examples),
        **place_paths(examples),
        **odata_paths(examples),
        **service_paths(),
    }
    service = catalogue.service
    language = service.languages[0]
    contact = {"name": service.contact.name, "email": service.contact.email}
    return {
        "openapi": VERSION,
        "info": {
            "title": text_in(service.title, language),
            "description": text_in(service.abstract, language),
            "version": chronotile.__version__,
            "contact": {name: said for name, said in contact.items() if said},
        },
        "servers": [{"url": base}],
        "paths": {path: entry for path, entry in paths.items() if path in served},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"writeToken": {"type": "http", "scheme": "bearer"}},
            "responses": {name: _refusal(description) for name, description in REFUSALS.items()},
        },
    }


def _refusal(description: str) -> Json:
    return {"description": description, "content": {"application/problem+json": {"schema": ref("Problem")}}}
