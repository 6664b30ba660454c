"""Path and query of places turned into core requests."""

from collections.abc import Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.places import PlaceTileRequest, PlaceValuesRequest
from chronotile.core.model.series.analysis import MEAN, parse_reducer
from chronotile.protocols.common.openapi import TEXT
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, Parameter, choice, datetime, names_of, text, whole
from chronotile.protocols.common.query.picture import REV
from chronotile.protocols.common.query.place import MIN_VALID, WEIGHTS, tile_grid_of

FORMAT = choice("format", "How the page is written; default: JSON", ("json", "geojson"), default="json")
LIMIT = whole("limit", "Maximum number of places", least=1, most=10_000, default=1000)
OFFSET = whole("offset", "How many places come before the first one", least=0, default=0)
OF_SET: tuple[Parameter[object], ...] = (FORMAT, LIMIT, OFFSET)
"""Beside `lang`."""
LAYER = text("layer", "Id or alias")
DATETIME = datetime("An instant, interval or list; default: the whole time domain")
REDUCER = Parameter(
    name="reducer",
    description="One of those of `/timeseries` except histograms; default: `mean`",
    parse=parse_reducer,
    schema=TEXT,
    default=MEAN,
)
FORMAT_OF_VALUES = choice("format", "How the matrix is written; default: JSON", ("json", "csv"), default="json")
LIMIT_OF_VALUES = whole("limit", "Maximum number of places; default: all", least=1)
OF_VALUES: tuple[Parameter[object], ...] = (
    *(LAYER, DATETIME, REDUCER, WEIGHTS, MIN_VALID, FORMAT_OF_VALUES, LIMIT_OF_VALUES, OFFSET),
    *csv_options.OF_LAYERS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesQuery:
    """Which page of a set is requested, and how it is written."""

    format: str
    limit: int
    offset: int


def places_query(query: Kvp) -> PlacesQuery:
    """Return the query of `/places/{set}`.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_names((LANG.name, *names_of(OF_SET)))
    return PlacesQuery(format=FORMAT.of(query), limit=LIMIT.of(query), offset=OFFSET.of(query))


def tile_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> PlaceTileRequest:
    """Return the tile that `/places/{set}/tiles/{tms}/{z}/{x}/{y}.mvt` requests.

    Raises:
        ChronotileError: A name is unknown, the tile is out of range, or a parameter is not accepted.
    """
    query.check_names((REV.name,))
    return PlaceTileRequest(places=catalogue.place_set(path["set"]).id, grid=tile_grid_of(path, catalogue))


def values_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> PlaceValuesRequest:
    """Return the matrix that `/places/{set}/values` requests.

    Raises:
        ChronotileError: A name is unknown, or a parameter is missing or not accepted.
    """
    query.check_names(names_of(OF_VALUES))
    return PlaceValuesRequest(
        places=catalogue.place_set(path["set"]).id,
        layer=catalogue.layer(LAYER.of(query)).id,
        time=DATETIME.of(query),
        reducer=REDUCER.of(query),
        weights=WEIGHTS.of(query),
        min_valid=MIN_VALID.of(query),
        offset=OFFSET.of(query),
        limit=LIMIT_OF_VALUES.given(query),
    )
