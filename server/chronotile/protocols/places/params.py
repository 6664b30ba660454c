"""Path and query of places turned into core requests."""

from collections.abc import Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter
from chronotile.model.places import PlaceTileRequest, PlaceValuesRequest
from chronotile.model.series.reducer import parse_reducer
from chronotile.protocols.common.query.kvp import Kvp, choice, datetime_of, integer
from chronotile.protocols.common.query.reduction import asked_min_valid, asked_weights
from chronotile.protocols.common.query.tile_address import tile_grid_of

FORMATS, FORMATS_OF_VALUES = ("json", "geojson"), ("json", "csv")
PARAMETERS_OF_LIST = ("lang",)
PARAMETERS_OF_SET = ("lang", "format", "limit", "offset")
PARAMETERS_OF_TILES = ("rev",)
PARAMETERS_OF_VALUES = ("layer", "datetime", "reducer", "weights", "min_valid", "format", "limit", "offset")
DEFAULT_LIMIT = 1000
MAX_LIMIT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesQuery:
    """Which page of a set is asked for, and how it is written."""

    format: str
    limit: int
    offset: int


def places_query(query: Kvp) -> PlacesQuery:
    """Return what `/places/{set}` is asked.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_spelling(PARAMETERS_OF_SET)
    written = choice((query.optional("format") or "json").lower(), FORMATS, locator="format")
    limit = integer(query.optional("limit") or str(DEFAULT_LIMIT), locator="limit", least=1)
    if limit > MAX_LIMIT:
        raise InvalidParameter(f"limit must be at most {MAX_LIMIT}, got {limit}", locator="limit")
    return PlacesQuery(format=written, limit=limit, offset=_offset(query))


def tile_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> PlaceTileRequest:
    """Return the tile that `/places/{set}/tiles/{tms}/{z}/{x}/{y}.mvt` asks for.

    Raises:
        ChronotileError: A name is unknown, the tile is out of range, or a parameter is not accepted.
    """
    query.check_spelling(PARAMETERS_OF_TILES)
    return PlaceTileRequest(places=catalogue.place_set(path["set"]).id, grid=tile_grid_of(path, catalogue))


def values_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> PlaceValuesRequest:
    """Return the matrix that `/places/{set}/values` asks for.

    Raises:
        ChronotileError: A name is unknown, or a parameter is missing or not accepted.
    """
    query.check_spelling(PARAMETERS_OF_VALUES)
    query.refuse(("reducers",), instead="reducer")
    limit = query.optional("limit")
    return PlaceValuesRequest(
        places=catalogue.place_set(path["set"]).id,
        layer=catalogue.layer(query.required("layer")).id,
        time=datetime_of(query),
        reducer=parse_reducer(query.optional("reducer") or "mean"),
        weights=asked_weights(query),
        min_valid=asked_min_valid(query),
        offset=_offset(query),
        limit=None if limit is None else integer(limit, locator="limit", least=1),
    )


def values_format(query: Kvp) -> str:
    """Return how the matrix is written.

    Raises:
        InvalidParameter: `format` is none of `FORMATS_OF_VALUES`.
    """
    return choice((query.optional("format") or "json").lower(), FORMATS_OF_VALUES, locator="format")


def _offset(query: Kvp) -> int:
    return integer(query.optional("offset") or "0", locator="offset", least=0)
