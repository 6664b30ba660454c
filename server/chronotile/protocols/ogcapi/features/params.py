"""Queries of features (OGC 17-069r4 §7.15 and §7.16, OGC 18-058r1 §6, OGC 19-079r2 §7)."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, CursorExpired, InvalidParameter, UnknownLayer, translate_error
from chronotile.core.model.places import PlaceSet, PlaceValuesRequest
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.pipeline.features.select import PlaceSelection, queryables_of
from chronotile.pipeline.place_shapes import places_revision
from chronotile.protocols.common.query.areas import REDUCER, WEIGHTS
from chronotile.protocols.common.query.crs import check_degrees, named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, datetime, documents, names_of, text, whole
from chronotile.protocols.ogcapi.crs import BBOX, BBOX_CRS, requested_bbox
from chronotile.protocols.ogcapi.document_requests import DOCUMENT_PARAMETERS, VALUE
from chronotile.protocols.ogcapi.filters import FILTER, FILTER_LANG, filter_of

DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000
_CURSOR = re.compile(r"([0-9a-f]{12})-(\d{1,9})", re.ASCII)

_LIMIT = whole(
    "limit", f"The most features; more than {MAX_LIMIT} is as many, except of files", least=1, default=DEFAULT_LIMIT
)
LIMIT = replace(_LIMIT, schema={**_LIMIT.schema, "maximum": MAX_LIMIT})
"""Larger values are accepted (/req/core/fc-limit-response-1 D)."""
LIMIT_DESCRIBED = documents([LIMIT])[0]
"""QGIS reads the page size from the parameters of the OpenAPI components."""
DATETIME = datetime(
    "One time for `value`: an instant, or a day, month or year in which there is one; default: that of the layer. "
    "Places have no time, so that it selects none of them"
)
CRS = text("crs", "CRS of the coordinates, in its axis order, as a URI or a safe CURIE; default: CRS84")
FILTER_CRS = text("filter-crs", "CRS of the geometries of `filter`, as `bbox-crs`; default: CRS84")
CURSOR = text("cursor", "Where the page begins; links of `next` have it")
OF_CONTENT: tuple[Parameter[object], ...] = (VALUE, DATETIME, REDUCER, WEIGHTS, CRS)
OF_SELECTION: tuple[Parameter[object], ...] = (BBOX, BBOX_CRS, FILTER, FILTER_LANG, FILTER_CRS)
OF_PAGE: tuple[Parameter[object], ...] = (LIMIT, CURSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureContent:
    """CRS and values of the features in an answer."""

    crs: Crs | None
    """The requested CRS; `None` without `crs`."""
    values: tuple[PlaceValuesRequest, ...]
    """Values of all places, one request per layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesQuery:
    """A parsed query of features."""

    content: FeatureContent
    selection: PlaceSelection
    limit: int | None
    """The requested number of features; `None` without `limit`."""
    start: int
    """Number of the first place of the page."""
    written: tuple[tuple[str, str], ...]
    """Parameters of the request except the cursor, in the order of `parameters_of`, for links."""


def content_query(query: Kvp, places: PlaceSet, catalogue: Catalogue) -> FeatureContent:
    """Return CRS and values of the features of a request.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    crs, value_names = CRS.optional(query), VALUE.optional(query) or ()
    with translate_error(UnknownLayer, InvalidParameter, locator=VALUE.name):
        layers = tuple(dict.fromkeys(catalogue.layer(name).id for name in value_names))
    if not places.columns.keys().isdisjoint(layers):
        raise InvalidParameter(f"value has a name that places of {places.id} have as a property", locator=VALUE.name)
    values_request = partial(
        PlaceValuesRequest,
        places=places.id,
        time=DATETIME.value(query),
        reducer=REDUCER.value(query),
        weights=WEIGHTS.value(query),
    )
    return FeatureContent(
        crs=None if crs is None else named_crs(crs, places, catalogue),
        values=tuple(values_request(layer=layer) for layer in layers),
    )


def features_query(query: Kvp, places: PlaceSet, catalogue: Catalogue) -> FeaturesQuery:
    """Return the query of features of a set.

    Raises:
        ChronotileError: A parameter is not accepted.
        CursorExpired: The places were replaced after the cursor was made.
    """
    query.refuse(("offset", "startindex"), instead=f"{CURSOR.name}, as in links of next")
    parameters = parameters_of(places)
    query.check_names(names_of((*parameters, *DOCUMENT_PARAMETERS)))
    return FeaturesQuery(
        content=content_query(query, places, catalogue),
        selection=_selection(query, places, catalogue),
        limit=LIMIT.optional(query),
        start=_start(CURSOR.optional(query), places),
        written=query.select(name for name in names_of(parameters) if name != CURSOR.name),
    )


def parameters_of(places: PlaceSet) -> tuple[Parameter[object], ...]:
    """Return all parameters of a page of features, without general parameters of documents."""
    return (*OF_CONTENT, *OF_SELECTION, *properties_of(places), *OF_PAGE)


def properties_of(places: PlaceSet) -> list[Parameter[str]]:
    """Return the parameters that select places by the value of a property.

    Properties whose names differ only by case, or equal the names of other parameters, have none, as names of
    parameters are case-insensitive.
    """
    other_names = names_of((*OF_CONTENT, *OF_SELECTION, *OF_PAGE, *DOCUMENT_PARAMETERS))
    description = "Only features whose property of this name has this value"
    listed = queryables_of(places)
    spelled = Counter(map(str.lower, (*listed, *other_names)))
    return [text(name, description, schema=schema) for name, schema in listed.items() if spelled[name.lower()] == 1]


def cursor_of(places: PlaceSet, number: int) -> str:
    """Return the cursor of the page that starts with the place of this number."""
    return f"{places_revision(places)}-{number}"


def _selection(query: Kvp, places: PlaceSet, catalogue: Catalogue) -> PlaceSelection:
    requested, filter_crs = requested_bbox(query, places, catalogue), FILTER_CRS.optional(query)
    box, box_crs = requested or (None, CRS84)
    if box is not None:
        check_degrees(box, box_crs, locator=BBOX.name)
    return PlaceSelection(
        box=box,
        box_crs=box_crs,
        properties=dict(query.select(names_of(properties_of(places)))),
        filter=filter_of(query),
        filter_crs=CRS84 if filter_crs is None else named_crs(filter_crs, places, catalogue, locator=FILTER_CRS.name),
    )


def _start(cursor: str | None, places: PlaceSet) -> int:
    if cursor is None:
        return 0
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        message = f"cursor must be taken from a link of next, got {cursor[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator=CURSOR.name)
    if match[1] != places_revision(places):
        message = "cursor is of places that were replaced; request the first page again, without cursor"
        raise CursorExpired(message, locator=CURSOR.name)
    return int(match[2])
