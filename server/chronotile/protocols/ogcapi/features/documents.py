"""Sets of places as collections, and pages of their features (OGC 17-069r4 §7.14 to §7.16)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import numpy as np
import orjson
from numpy.typing import NDArray

from chronotile.core.errors import MAX_SHOWN, UnknownPlace
from chronotile.core.model.places import ChosenPlaces, PlaceSet
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.types import Json
from chronotile.pipeline.encoders.vector.geojson import encode_places_geojson, place_features
from chronotile.pipeline.encoders.vector.place_file import PLACE_FORMATS
from chronotile.pipeline.features.select import queryables_of, select_places
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import INDEX, OBJECT, TEXT, enum_of, list_of, object_of, omit_empty, ref
from chronotile.protocols.common.operations_page import PageLink
from chronotile.protocols.common.query.crs import accepted_crs
from chronotile.protocols.ogcapi.block import NO_QUERIES, DocumentContext
from chronotile.protocols.ogcapi.document_pages import document_page
from chronotile.protocols.ogcapi.features.params import (
    CURSOR,
    DEFAULT_LIMIT,
    LIMIT,
    MAX_LIMIT,
    FeaturesQuery,
    cursor_of,
)
from chronotile.protocols.ogcapi.filters import GEOMETRY, REL_QUERYABLES, SCHEMA, properties_schema

JSON, HTML, GEOJSON = "application/json", "text/html", "application/geo+json"
OF_ITEMS: Mapping[str, str] = {
    "json": GEOJSON,
    "html": HTML,
    **{name: f.media_type for name, f in PLACE_FORMATS.items()},
}
"""Media types of features by names of formats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetContext:
    """A place set, with language and URLs of its documents."""

    places: PlaceSet
    document: DocumentContext

    @property
    def title(self) -> str:
        """Title of the set."""
        return text_in(self.places.spec.title, self.document.language) or self.places.id

    @property
    def address(self) -> str:
        """The public URL of the set as a collection."""
        return f"{self.document.base}/collections/{quote(self.places.id)}"

    @property
    def above(self) -> list[PageLink]:
        """Pages above the features."""
        return [
            PageLink(title="Collections", href=f"{self.document.base}/collections?f=html"),
            PageLink(title=self.title, href=f"{self.address}?f=html"),
        ]


def collection_document(of: SetContext) -> Json:
    """Return a set of places as a collection of features."""
    places, address = of.places, of.address
    return {
        "id": places.id,
        "title": of.title,
        "description": f"{len(places):,} places with their outlines",
        "itemType": "feature",
        "extent": {"spatial": {"bbox": [[round(edge, 7) for edge in places.bbox]], "crs": CRS84.uri}},
        "crs": [crs.uri for crs in accepted_crs(places, of.document.catalogue) if crs.uri],
        **omit_empty({"storageCrs": places.crs.uri, "attribution": places.spec.attribution}),
        **NO_QUERIES,
        "links": [
            link("self", address, JSON, "This collection"),
            link("alternate", f"{address}?f=html", HTML, "This collection as HTML"),
            link("items", f"{address}/items", GEOJSON, "The places"),
            link("items", f"{address}/items?f=html", HTML, "The places as HTML"),
            *(
                link("enclosure", f"{address}/items?f={name}", f.media_type, f"All places as {f.driver}")
                for name, f in PLACE_FORMATS.items()
            ),
            # OGC's test suite of EDR requires it in each collection of a list.
            link("data", f"{address}/items", GEOJSON, "The places"),
            link(REL_QUERYABLES, f"{address}/queryables", SCHEMA, "Properties for filters"),
            link("up", f"{of.document.base}/collections", JSON, "All collections"),
            link(
                "related", f"{of.document.root}/places/{quote(places.id)}", JSON, "Vector tiles, and values along time"
            ),
        ],
    }


def queryables_document(of: SetContext) -> Json:
    """Return the properties that filters and parameters may name, as a JSON schema (OGC 19-079r2 §6)."""
    properties = {name: {"title": name, **schema} for name, schema in queryables_of(of.places).items()}
    members = {**properties, "geometry": {"title": "Outline", **GEOMETRY}}
    return properties_schema(f"{of.address}/queryables", of.title, members)


SelectedPlaces = tuple[NDArray[np.int64], Callable[[ChosenPlaces, str], bytes]]
"""Numbers of places (feature,), and a function that encodes them with a note on missing values."""


def find_page(query: FeaturesQuery, of: SetContext, name: str) -> SelectedPlaces:
    """Return the page that a query selects: all features if the format is a file format.

    Raises:
        ChronotileError: The selection is not accepted.
    """
    matching = select_places(of.places, query.selection)
    start, matched = int(np.searchsorted(matching, query.start)), len(matching)
    limit = query.limit or matched if name in PLACE_FORMATS else min(query.limit or DEFAULT_LIMIT, MAX_LIMIT)
    numbers = matching[start : start + limit]
    following = cursor_of(of.places, int(matching[start + limit])) if start + limit < matched else None
    links = _page_links(query, of, following)

    def write(chosen: ChosenPlaces, note: str) -> bytes:
        if name != "html":
            counts = {"numberMatched": matched, "numberReturned": len(numbers)}
            return encode_places_geojson(chosen, members={**counts, **omit_empty({"note": note}), "links": links})
        ids = (of.places.ids[number] for number in numbers.tolist())
        return document_page(
            of.title,
            {"links": links},
            of.document,
            above=of.above,
            json_type=GEOJSON,
            template="features",
            matched=matched,
            names=list(chosen.columns),
            rows=list(zip(ids, zip(*chosen.columns.values(), strict=True), strict=True)),
            address=f"{of.address}/items",
            following=_page_address(query, of, following, "html") if following else None,
        )

    return numbers, write


def find_feature(id_: str, written: Sequence[tuple[str, str]], of: SetContext, name: str) -> SelectedPlaces:
    """Return the place with an id; `written` are the parameters that its links repeat.

    Raises:
        UnknownPlace: The set has no place with this id.
    """
    number = of.places.numbers.get(id_)
    if number is None:
        message = f"place {id_[:MAX_SHOWN]!r} is not known in {of.places.id}; its items list those that are"
        raise UnknownPlace(message, locator="place")
    address = f"{of.address}/items/{quote(id_, safe='')}"
    query, query_of_page = (urlencode([*written, *more], safe="/:,") for more in ([], [("f", "html")]))
    links = [
        link("self", f"{address}?{query}" if query else address, GEOJSON, "This place"),
        link("alternate", f"{address}?{query_of_page}", HTML, "This place as HTML"),
        link("collection", of.address, JSON, of.title),
    ]

    def write(chosen: ChosenPlaces, note: str) -> bytes:
        document = orjson.dumps({**place_features(chosen)[0], **omit_empty({"note": note}), "links": links})
        if name == "html":
            return document_page(id_, orjson.loads(document), of.document, above=of.above, json_type=GEOJSON)
        return document

    return np.array([number]), write


def _page_links(query: FeaturesQuery, of: SetContext, following: str | None) -> list[Json]:
    cursor = cursor_of(of.places, query.start) if query.start else None
    links = [
        link("self", _page_address(query, of, cursor, "json"), GEOJSON, "This page"),
        link("alternate", _page_address(query, of, cursor, "html"), HTML, "This page as HTML"),
        link("collection", of.address, JSON, of.title),
    ]
    for name, place_format in PLACE_FORMATS.items():
        title = f"All features that match, as {place_format.driver}"
        links.append(link("enclosure", _page_address(query, of, None, name), place_format.media_type, title))
    if following is not None:
        links.append(link("next", _page_address(query, of, following, "json"), GEOJSON, "The features that follow"))
    return links


def _page_address(query: FeaturesQuery, of: SetContext, cursor: str | None, f: str) -> str:
    # Parameters of the request come first, unbroken and in the order of `parameters_of`: GDAL appends its whole query
    # to a link that does not contain it as one text.
    written = [pair for pair in query.written if pair[0] != LIMIT.name or f not in PLACE_FORMATS]
    begins = [] if cursor is None else [(CURSOR.name, cursor)]
    return f"{of.address}/items?{urlencode([*written, *begins, ('f', f)], safe='/:,')}"


_LINKS = list_of(ref("Link"))
SCHEMAS: Mapping[str, Json] = {
    "FeaturesFeature": object_of(
        {"type": enum_of(["Feature"]), "geometry": {**OBJECT, "nullable": True}, "properties": OBJECT},
        {"id": TEXT, "links": _LINKS},
    ),
    "FeaturesPage": object_of(
        {"type": enum_of(["FeatureCollection"]), "features": list_of(ref("FeaturesFeature"))},
        {"numberMatched": INDEX, "numberReturned": INDEX, "links": _LINKS},
    ),
}
"""Schemas of features for OpenAPI 3.0."""
