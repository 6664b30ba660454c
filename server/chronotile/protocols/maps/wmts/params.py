"""Parameters and paths of WMTS, parsed into requests of the core."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import (
    MAX_SHOWN,
    ChronotileError,
    InvalidParameter,
    MissingParameter,
    UnsupportedFormat,
    VersionNegotiationFailed,
)
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import TILE_FORMATS, TileFormat
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.tiles import TileMatrix, TileMatrixSet, TileRange
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import Instant
from chronotile.http.negotiation import parse_quality_values
from chronotile.pipeline.services import Services
from chronotile.pipeline.tile_ranges import box_in_set, check_in_range, shown_matrices, shown_range
from chronotile.protocols.common.capabilities.crs_names import urn
from chronotile.protocols.common.capabilities.sections import needs_sections, parse_sections
from chronotile.protocols.common.capabilities.time_extent import stand_in_default
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, custom, keyword, text, whole
from chronotile.protocols.common.query.picture import DIFFERENCE, anomaly_of, reducer_of

WmtsOperation = Literal["GetCapabilities", "GetTile", "GetFeatureInfo", "DescribeDomains", "GetDomainValues"]
CapabilitiesSection = Literal["ServiceIdentification", "ServiceProvider", "OperationsMetadata", "Contents", "Themes"]

VERSION = "1.0.0"
OPERATIONS: tuple[WmtsOperation, ...] = get_args(WmtsOperation)
SECTIONS: tuple[CapabilitiesSection, ...] = get_args(CapabilitiesSection)
MEDIA_TYPE = "application/xml"


def _version(value: str) -> str:
    if value != VERSION:
        raise InvalidParameter(f"version {value[:MAX_SHOWN]!r} is not supported; use {VERSION}", locator="version")
    return value


def _accepted_versions(value: str) -> str:
    if VERSION not in [version.strip() for version in value.split(",")]:
        raise VersionNegotiationFailed(f"AcceptVersions {value[:MAX_SHOWN]!r} does not name {VERSION}")
    return VERSION


REQUEST = keyword("request", "The operation", {name: name for name in OPERATIONS})
VERSION_NAME = custom("version", "The version", _version, schema=enum_of([VERSION]), default=VERSION)
ACCEPTED_VERSIONS = custom("AcceptVersions", "Versions that the client takes", _accepted_versions, default=VERSION)
UPDATE_SEQUENCE = text("updateSequence", "That of the capabilities which the client holds")
SECTION_NAMES: Parameter[frozenset[CapabilitiesSection]] = custom(
    "sections",
    "Parts of the capabilities",
    partial(parse_sections, offered=SECTIONS),
    schema=enum_of([*SECTIONS, "All"]),
)
LAYER = text("layer", "Id or alias of a layer")
STYLE = text("style", "A style of the layer; empty for its first")
TILE_MATRIX_SET = text("TileMatrixSet", "Id of a set that the layer lists")
TILE_MATRIX = text("TileMatrix", "Id of one of its matrices")
ROW, COLUMN = (whole(name, "Of the tile") for name in ("TileRow", "TileCol"))
TIME = text("Time", "An instant, a list or an interval")
OURS = ("Reducer", "Difference", "Anomaly", "Reference")
"""Parameters that the standard does not define; REST paths take them in the query."""
OF_TILE = (
    *("service", "request", "version", "format", LAYER.name, STYLE.name, TILE_MATRIX_SET.name, TILE_MATRIX.name),
    *(ROW.name, COLUMN.name, TIME.name, *OURS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileNames:
    """Names and numbers that identify a tile, as text."""

    layer: str
    style: str
    format: TileFormat
    tile_matrix_set: str
    tile_matrix: str
    row: str
    column: str
    time: str | None
    query: Kvp
    """The query, for parameters that the standard does not define."""


def operation(query: Kvp) -> WmtsOperation:
    """Return the requested operation; SERVICE and REQUEST are case-insensitive.

    A URL without parameters, as users paste it, requests the capabilities. So does GetCapabilities of WMS, which QGIS
    sends.

    Raises:
        ChronotileError: A parameter is missing or not offered.
    """
    if query.is_empty:
        return "GetCapabilities"
    service = query.require("service")
    if service.upper() == "WMS" and (query.optional("request") or "").lower() == "getcapabilities":
        return "GetCapabilities"
    if service.upper() != "WMTS":
        raise InvalidParameter(f"service must be WMTS, got {service[:MAX_SHOWN]!r}", locator="service")
    return REQUEST.value(query)


def sections(query: Kvp, *, sequence: str | None = None) -> frozenset[CapabilitiesSection]:
    """Return the requested sections of the capabilities (OWS Common 1.1 §7.3.3), after checking the version.

    Args:
        query: The request.
        sequence: `updateSequence` of the document; a client that has the same one gets no section (§7.3.4).

    Raises:
        ChronotileError: No accepted version is offered, a section is unknown, or the client has a later document.
    """
    ACCEPTED_VERSIONS.value(query)
    requested = SECTION_NAMES.value(query) if SECTION_NAMES.name in query else frozenset(SECTIONS)
    return requested if needs_sections(UPDATE_SEQUENCE.optional(query), sequence) else frozenset()


def check_accepted(header: str) -> None:
    """Refuse a client that does not accept XML (RFC 9110 §12.5.1).

    Raises:
        ChronotileError: With status 406.
    """
    offered = {MEDIA_TYPE, "text/xml", "application/*", "text/*", "*/*", "*"}
    members = parse_quality_values(header)
    if members and not any(media_type in offered and weight > 0 for media_type, weight in members):
        error = ChronotileError(f"the capabilities are {MEDIA_TYPE}, which the Accept header does not take")
        error.status = 406
        raise error


def names_in_query(query: Kvp, offered: Sequence[TileFormat]) -> TileNames:
    """Return the names in a GetTile request (WMTS 1.0.0 Table 29); only STYLE may be empty, for the default.

    Args:
        query: The request.
        offered: The formats from `offered_formats`.

    Raises:
        ChronotileError: A name is missing, or the version or format is not offered.
    """
    VERSION_NAME.value(query)
    layer = LAYER.value(query)
    if STYLE.name not in query:
        raise MissingParameter("style is missing; it may be empty", locator="style")
    return TileNames(
        layer=layer,
        style=STYLE.optional(query) or "",
        format=keyword("format", "Of the tile", {f: f for f in offered}, error=UnsupportedFormat).value(query),
        tile_matrix_set=TILE_MATRIX_SET.value(query),
        tile_matrix=TILE_MATRIX.value(query),
        row=query.require(ROW.name),
        column=query.require(COLUMN.name),
        time=TIME.optional(query),
        query=query,
    )


def names_in_path(path: Mapping[str, str], query: Kvp, offered: Sequence[TileFormat]) -> TileNames:
    """Return the names in the path of a tile, with the query for additional parameters.

    Args:
        path: Path segments by name.
        query: Query parameters.
        offered: The formats from `offered_formats`.

    Raises:
        UnsupportedFormat: The extension is not offered.
    """
    return TileNames(
        layer=path["layer"],
        style=path["style"],
        format=_format_of_extension(path["extension"], offered),
        tile_matrix_set=path["tms"],
        tile_matrix=path["matrix"],
        row=path["row"],
        column=path["column"],
        time=path.get("time"),
        query=query,
    )


def offered_formats(catalogue: Catalogue) -> tuple[TileFormat, ...]:
    """Return the formats that the configuration enables; PNG first."""
    return tuple(format_ for format_ in TILE_FORMATS if format_ in catalogue.service.wmts_formats)


def map_request(names: TileNames, services: Services) -> MapRequest:
    """Return the map that a tile shows.

    Raises:
        ChronotileError: A name is unknown, or the tile is outside the limits of its matrix.
    """
    layer = services.catalogue.layer(names.layer)
    tile_matrix_set = services.catalogue.tile_matrix_set(names.tile_matrix_set)
    matrix = tile_matrix_set.matrix(names.tile_matrix)
    row, column = ROW.parse(names.row), COLUMN.parse(names.column)
    if len(services.catalogue.offered_layers) <= LIMITED_LAYERS:  # then capabilities list the limits
        check_tile_limits(layer, tile_matrix_set, matrix, row=row, column=column)
    query, anomaly = names.query, anomaly_of(names.query)
    return MapRequest(
        layer=names.layer,
        grid=tile_matrix_set.tile_grid(matrix, row=row, column=column),
        time=_time(names.time, layer, services.clock()),
        fills_gaps=True,
        difference=DIFFERENCE.optional(query) if len(layer.times) else None,
        anomaly=anomaly,
        style=names.style,
        format=names.format,
        reducer=reducer_of(query, anomaly),
    )


def _time(time: str | None, layer: Layer, now: Instant) -> TimeSelection:
    """Return the selected times: the advertised Default for absence and `default`, none for layers without time."""
    if len(layer.times) == 0:
        return ABSENT
    selection = parse_time(time)
    stand_in = stand_in_default(layer, now) if selection.keyword in {"absent", "default"} else None
    return selection if stand_in is None else parse_time(format_instant(stand_in))


def _format_of_extension(extension: str, offered: Sequence[TileFormat]) -> TileFormat:
    by_extension: dict[str, TileFormat] = {format_.extension: format_ for format_ in offered}
    if extension not in by_extension:
        accepted = ", ".join(by_extension)
        raise UnsupportedFormat(
            f"extension {extension[:MAX_SHOWN]!r} is not offered; accepted are {accepted}", locator="format"
        )
    return by_extension[extension]


LIMITED_LAYERS = 50
"""Largest number of layers whose capabilities contain limits, which take up most of the size of a layer's entry."""


def offered_sets(catalogue: Catalogue) -> tuple[TileMatrixSet, ...]:
    """Return the tile matrix sets that can be advertised: their CRS has a URN."""
    return tuple(set_ for set_ in catalogue.tile_matrix_sets if urn(set_.crs) is not None)


def advertised_limits(layer: Layer, tile_matrix_set: TileMatrixSet) -> Iterator[tuple[TileMatrix, TileRange]]:
    """Yield the matrices that show more of a layer than coarser ones, with its limits, unless these are unknown."""
    for matrix, tiles in shown_matrices(layer.main_variable.grid, tile_matrix_set):
        limits = _extend_range(tiles, matrix)
        if limits is not None:
            yield matrix, limits


def check_tile_limits(
    layer: Layer, tile_matrix_set: TileMatrixSet, matrix: TileMatrix, *, row: int, column: int
) -> None:
    """Refuse a tile outside the advertised limits; a matrix without limits accepts every tile.

    Raises:
        TileOutOfRange: The row or column is outside, or the layer has no tile in the whole set.
    """
    native = layer.main_variable.grid
    if box_in_set(native, tile_matrix_set) is None:
        check_in_range(None, row=row, column=column)
    tiles = shown_range(native, tile_matrix_set, matrix)
    limits = None if tiles is None else _extend_range(tiles, matrix)
    if limits is not None:
        check_in_range(limits, row=row, column=column)


def _extend_range(tiles: TileRange, matrix: TileMatrix) -> TileRange | None:
    """Return the tiles with data, extended to row and column 1; `None` if the matrix has a single row or column.

    The schema does not allow a maximum of 0 (`positiveInteger` in wmtsGetCapabilities_response.xsd).
    """
    if matrix.matrix_height == 1 or matrix.matrix_width == 1:
        return None
    return TileRange(
        row_min=tiles.row_min,
        row_max=max(tiles.row_max, 1),
        column_min=tiles.column_min,
        column_max=max(tiles.column_max, 1),
    )
