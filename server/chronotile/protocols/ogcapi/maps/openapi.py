"""Paths of maps in OpenAPI 3.0 (OGC 20-058 §23), and what those of tiles and styles have of them."""

from collections.abc import Mapping
from dataclasses import replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collections
from chronotile.model.crs import CRS84
from chronotile.model.time.instants import format_instant
from chronotile.protocols.common.openapi import (
    BINARY,
    TEXT,
    Json,
    get,
    in_path,
)
from chronotile.protocols.common.query.parameter import documents, format_of, language
from chronotile.protocols.ogcapi.maps.background import BACKGROUND
from chronotile.protocols.ogcapi.maps.drawing import COLLECTIONS, COLOURING, DATETIME, MEDIA_TYPES, SUBSET, SUBSET_CRS
from chronotile.protocols.ogcapi.maps.params import PLACING

TAG = "Maps"
PICTURES: Mapping[str, Json] = dict.fromkeys(MEDIA_TYPES.values(), BINARY)
ORIGINS: Mapping[str, str] = {
    "": "dataset",
    "/styles/{styleId}": "dataset.style",
    "/collections/{collectionId}": "collection",
    "/collections/{collectionId}/styles/{styleId}": "collection.style",
}
"""What operations are called after, by the beginning of their paths."""


def map_paths(catalogue: Catalogue) -> Mapping[str, Json]:
    """Return the path items, below the tree's own address; none where there is nothing to show."""
    shown = first_offered(catalogue)
    if shown is None:
        return {}
    return {
        f"{origin}/map": get(
            f"maps.{name}.getMap",
            "A map",
            tag=TAG,
            parameters=[*origin_parameters(origin, shown), *_placing(catalogue, shown), *drawing(origin, shown)],
            answers=PICTURES,
        )
        for origin, name in ORIGINS.items()
    }


def first_offered(catalogue: Catalogue) -> Offered | None:
    """Return what examples are of."""
    return next(iter(offered_collections(catalogue)), None)


def origin_parameters(origin: str, shown: Offered) -> list[Json]:
    """Return the segments of a path that select the map's content."""
    segments = {
        "collectionId": in_path(
            "collectionId", "Id of a collection, or id or alias of a layer", TEXT, example=shown.id
        ),
        "styleId": in_path("styleId", "Id of a style of what is shown", TEXT, example=shown.drawn.styles[0].id),
    }
    return [segment for name, segment in segments.items() if f"{{{name}}}" in origin]


def drawing(origin: str, shown: Offered) -> list[Json]:
    """Return the parameters that maps and map tiles have alike."""
    listed = [] if "collectionId" in origin else [COLLECTIONS]
    instants = shown.drawn.times.instants
    examples = {"collections": [shown.id], "datetime": format_instant(instants[-1]) if len(instants) else None}
    return [
        *documents([*listed, DATETIME, *BACKGROUND, *COLOURING], examples),
        format_of(list(MEDIA_TYPES)),
    ]


def languages_of(catalogue: Catalogue) -> Json:
    """Return the parameter of the language of titles."""
    return language(catalogue.service.languages)


def _placing(catalogue: Catalogue, shown: Offered) -> list[Json]:
    uris = [uri for each in (CRS84, *catalogue.crs) if (uri := each.uri) is not None]
    box = [round(edge, 6) for edge in shown.collection.bbox]
    crs = {**TEXT, "example": uris[0]}
    parameters = [
        replace(each, schema=crs) if each.name.endswith("crs") else each for each in (*PLACING, SUBSET, SUBSET_CRS)
    ]
    return documents(parameters, {"bbox": box, "crs": uris[0], "width": 256, "height": 256})
