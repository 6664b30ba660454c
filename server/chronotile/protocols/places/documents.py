"""Sets of places as JSON documents."""

from typing import Any
from urllib.parse import quote, urlencode

from chronotile.encoders.vector.mvt import MEDIA_TYPE
from chronotile.model.places import PlaceSet
from chronotile.pipeline.place_shapes import places_revision
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.public_url import link
from chronotile.protocols.places.params import PlacesQuery

Document = dict[str, Any]


def place_sets(context: CapabilitiesContext) -> Document:
    """Return all sets in short."""
    return {"places": [place_set(places, context) for places in context.services.catalogue.places.values()]}


def place_set(places: PlaceSet, context: CapabilitiesContext) -> Document:
    """Return what a choice among sets needs."""
    return {
        "id": places.id,
        "title": text_in(places.spec.title, context.language),
        "count": len(places),
        "bbox": [round(edge, 7) for edge in places.bbox],
        "attribution": places.spec.attribution,
        "fields": list(places.columns),
        "revision": places_revision(places),
        "links": _links(places, context),
    }


def place_page(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> Document:
    """Return a set with one page of its places, each with its number in the vector tiles."""
    columns = places.columns
    return {
        **place_set(places, context),
        "places": [
            {"number": number, **{name: column[number] for name, column in columns.items()}}
            for number in page_numbers(places, selection)
        ],
        "next": next_page(places, selection, context),
    }


def page_numbers(places: PlaceSet, selection: PlacesQuery) -> range:
    """Return the numbers of the places of a page."""
    return range(len(places))[selection.offset : selection.offset + selection.limit]


def next_page(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> str | None:
    """Return the URL of the page after this one, if there is one."""
    offset = selection.offset + selection.limit
    if offset >= len(places):
        return None
    query = urlencode({"format": selection.format, "limit": selection.limit, "offset": offset})
    return f"{_path(places, context)}?{query}"


def _path(places: PlaceSet, context: CapabilitiesContext) -> str:
    return f"{context.base}/places/{quote(places.id)}"


def _links(places: PlaceSet, context: CapabilitiesContext) -> list[Document]:
    path, revision = _path(places, context), places_revision(places)
    tiles = [
        link(
            "tiles",
            f"{path}/tiles/{quote(each.id)}/{{z}}/{{x}}/{{y}}.mvt?rev={revision}",
            MEDIA_TYPE,
            each.id,
            is_template=True,
        )
        for each in context.services.catalogue.tile_matrix_sets
    ]
    values = link(
        "values",
        f"{path}/values{{?layer,datetime,reducer,weights,min_valid,limit,offset}}",
        "application/json",
        "values of all places",
        is_template=True,
    )
    return [
        link("self", path, "application/json", "this set"),
        link("items", f"{path}?format=geojson", "application/geo+json", "its places as GeoJSON"),
        *tiles,
        values,
    ]
