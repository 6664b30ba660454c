"""GetFeatureInfo: values of a layer at a pixel of a tile (WMTS 1.0.0 §7.3)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from chronotile.core.errors import InvalidParameter, OperationNotSupported, PixelOutOfRange, TileOutOfRange, UnknownPath
from chronotile.core.model.formats import MapFormat, TileFormat
from chronotile.core.model.payload import Payload
from chronotile.core.model.request import IdentifyRequest
from chronotile.pipeline.identify import deliver_identified
from chronotile.pipeline.services import Services
from chronotile.protocols.common.feature_info import (
    INFO_FORMATS,
    info_format,
    parse_pixel_index,
    pixel_point,
)
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, text, whole
from chronotile.protocols.maps.wmts.params import TileNames, map_request, names_in_query

EXTENSIONS: Mapping[str, str] = {
    "txt": "text/plain",
    "html": "text/html",
    "gml": "application/vnd.ogc.gml",
    "gml311": "application/vnd.ogc.gml/3.1.1",
    "gml32": "application/gml+xml",
    "geojson": "application/geo+json",
    "json": "application/json",
}
"""Media types by extension in REST paths; tiles have other extensions."""
ADVERTISED_INFO: Mapping[str, str] = {
    "text/plain": "txt",
    "text/html": "html",
    "application/json": "json",
    "application/vnd.ogc.gml": "gml",
}
"""Advertised info formats with the extension in their templates; QGIS needs the order of `INFO_FORMATS`."""
INFO_OF_VIEWERS = ("text/html", "application/json")
"""Formats advertised, without templates, in capabilities of many layers."""
PIXEL_COLUMN, PIXEL_ROW = (
    whole(name, "Position in the tile, in pixels from its upper left corner") for name in ("I", "J")
)
INFO_FORMAT = text("InfoFormat", "The media type of the answer", schema=enum_of(list(INFO_FORMATS)))
SEGMENTS = 6
"""Segments of a path after the time: tile matrix set, tile matrix, row, column, J, I."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoNames:
    """Names and numbers that identify a pixel of a tile, as text."""

    tile: TileNames
    i: str
    j: str
    info_format: str


def info_names_in_query(query: Kvp, offered: Sequence[TileFormat]) -> InfoNames:
    """Return the names in a GetFeatureInfo request (WMTS 1.0.0 Table 31); `offered` are formats of its tile.

    Raises:
        ChronotileError: A name is missing, or the version or format is not offered.
    """
    return InfoNames(
        tile=names_in_query(query, offered),
        i=query.require(PIXEL_COLUMN.name),
        j=query.require(PIXEL_ROW.name),
        info_format=INFO_FORMAT.value(query),
    )


def info_names_in_path(path: Mapping[str, str], query: Kvp) -> InfoNames:
    """Return the names in the path of a feature info; the query is the same as for `names_in_path`.

    A time may be an interval, which contains a slash. Such a path also matches the route of a tile, whose `time` then
    ends with the first segments of the tile.

    Raises:
        UnknownPath: The path is too short.
    """
    behind_style = [*path.get("time", "").split("/"), *(path[name] for name in ("tms", "matrix", "row", "column"))]
    time, place = "/".join(behind_style[:-SEGMENTS]), behind_style[-SEGMENTS:]
    if len(place) < SEGMENTS or not all(place):
        raise UnknownPath("the path of a feature info ends with TileMatrixSet/TileMatrix/TileRow/TileCol/J/I.format")
    tile_matrix_set, matrix, row, column, j, i = place
    tile = TileNames(
        layer=path["layer"],
        style=path["style"],
        format=MapFormat.PNG,
        tile_matrix_set=tile_matrix_set,
        tile_matrix=matrix,
        row=row,
        column=column,
        time=time or None,
        query=query,
    )
    return InfoNames(tile=tile, i=i, j=j, info_format=EXTENSIONS[path["extension"]])


def answer_info(names: InfoNames, services: Services, *, client_etags: Collection[str]) -> Payload:
    """Return the info document.

    Raises:
        OperationNotSupported: The layer cannot be queried.
        ChronotileError: A name is unknown, the pixel is outside its tile, or the tile is outside its limits.
    """
    layer = services.catalogue.layer(names.tile.layer)
    if not layer.queryable:
        raise OperationNotSupported(f"layer {layer.id} cannot be queried", locator="GetFeatureInfo")
    info = info_format(names.info_format, locator=INFO_FORMAT.name)
    try:
        tile = map_request(names.tile, services)
    except TileOutOfRange as error:  # in GetFeatureInfo an invalid parameter (OGC 07-057r7 Table 33)
        raise InvalidParameter(error.message, locator=error.locator) from error
    column = _pixel(PIXEL_COLUMN, names.i, tile.grid.width)
    row = _pixel(PIXEL_ROW, names.j, tile.grid.height)
    request = IdentifyRequest.from_map_request(tile, pixel_point(tile.grid, column, row), layer=tile.layer)
    return deliver_identified([request], info, services, client_etags=client_etags)


def _pixel(parameter: Parameter[int], value: str, size: int) -> int:
    # A number outside the tile has a separate error code (OGC 07-057r7 Table 30).
    parameter.parse(value)
    try:
        return parse_pixel_index(value, size, locator=parameter.name)
    except InvalidParameter as error:
        raise PixelOutOfRange(error.message, locator=parameter.name) from error
