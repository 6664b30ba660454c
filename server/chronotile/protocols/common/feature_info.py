"""GetFeatureInfo answers of WMS and WMTS: values of layers at a point, in all formats."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import orjson

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnsupportedFormat
from chronotile.core.model.encoding import REASON_UNREADABLE
from chronotile.core.model.number_text import number_texts, text_values
from chronotile.core.model.payload import CellSeries, Identified
from chronotile.core.model.request import Point
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import AnyArray
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.pipeline.identify import InfoFormat
from chronotile.protocols.common.query.values import integer
from chronotile.protocols.common.xml import render_xml

Scalar = str | float | bool | None
Properties = dict[str, Scalar | list[Scalar]]
InfoEncoder = Callable[[Sequence[Identified]], bytes]

GML_3_1_1, GML_3_2 = "http://www.opengis.net/gml", "http://www.opengis.net/gml/3.2"
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")
NOTHING = "nothing: the place is outside the layer"


class NumberText(str):
    """Text of a number, the same in all formats."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PlaceInfo:
    """Values of a layer at a point; `properties` are empty outside the layer."""

    layer: str
    title: str
    longitude: float
    latitude: float
    """Centre of the cell."""
    properties: Properties
    """Values of the newest time that has some, as in a map of all requested times."""
    columns: tuple[str, ...] = ()
    """Names of the columns of `rows`."""
    rows: tuple[tuple[Scalar, ...], ...] = ()
    """One row per time, if a list or an interval was requested."""


def place_info(identified: Identified) -> PlaceInfo:
    """Return the properties of a layer; their names are the same in every format."""
    if not identified.cells:
        return PlaceInfo(identified.layer, identified.title, identified.longitude, identified.latitude, {})
    longitude, latitude = identified.cells[0].centre
    index = _newest_valid_index(identified)
    columns = dict(_columns(identified))
    properties: Properties = {"layer": identified.layer, "title": identified.title, "style": identified.style}
    properties |= {name: column[index] for name, column in columns.items()}
    properties |= {f"units{suffix}": cell.units for cell, suffix in _cells_with_suffix(identified)}
    rows = tuple(zip(*columns.values(), strict=True)) if identified.is_series else ()
    return PlaceInfo(identified.layer, identified.title, longitude, latitude, properties, tuple(columns), rows)


def info_format(media_type: str, *, locator: str) -> InfoFormat:
    """Return the format of a media type; its parameters and case are ignored.

    Raises:
        UnsupportedFormat: The media type is not offered.
    """
    name = media_type.partition(";")[0].strip().lower()
    if name not in INFO_FORMATS:
        message = f"{locator} {media_type[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(INFO_FORMATS)}"
        raise UnsupportedFormat(message, locator=locator)
    return InfoFormat(media_type=name, encode=INFO_FORMATS[name])


def parse_pixel_index(text: str, size: int, *, locator: str) -> int:
    """Return a column or row, from 0 to `size` - 1.

    Raises:
        InvalidParameter: It is not a whole number, or out of range.
    """
    index = integer(text, locator=locator)
    if not 0 <= index < size:
        raise InvalidParameter(f"{locator} must be from 0 to {size - 1}, got {text[:MAX_SHOWN]}", locator=locator)
    return index


def pixel_point(grid: Grid, column: int, row: int) -> Point:
    """Return the centre of a pixel, counted from the north-west; a picture shows the cell at this point."""
    columns, rows = np.array([column + 0.5]), np.array([row + 0.5])
    return Point(x=float(grid.x_of(columns)[0]), y=float(grid.y_of(rows)[0]), crs=grid.crs)


def _newest_valid_index(identified: Identified) -> int:
    # The newest time at which all variables have a value, else the newest.
    valid = np.all([~np.isnan(cell.values) for cell in identified.cells], axis=0)
    return int(np.flatnonzero(valid)[-1]) if valid.any() else len(identified.times) - 1


def _columns(identified: Identified) -> Iterator[tuple[str, list[Scalar]]]:
    """Yield the columns of the table; names of a composite end with the name of the variable."""
    yield "time", [*format_instants(identified.times)]
    for cell, suffix in _cells_with_suffix(identified):
        yield f"value{suffix}", _numbers(text_values(cell.values, cell.encoding))
        numbers = zip(_numbers(cell.numbers), cell.reasons, strict=True)
        yield f"number{suffix}", [None if reason == REASON_UNREADABLE else number for number, reason in numbers]
        if any(cell.labels):
            yield f"label{suffix}", [*cell.labels]
        yield f"reason{suffix}", [*cell.reasons]
        if cell.dates is not None:
            yield f"dates{suffix}", [cell.dates]
    yield "colour", [colour.hex if colour.alpha else "transparent" for colour in identified.colours]


def _numbers(numbers: AnyArray) -> list[Scalar]:
    return [NumberText(text) if text else None for text in number_texts(numbers)]


def _cells_with_suffix(identified: Identified) -> Iterator[tuple[CellSeries, str]]:
    for cell in identified.cells:
        yield cell, "" if len(identified.cells) == 1 else f"_{cell.variable}"


def _json(layers: Sequence[Identified]) -> bytes:
    """Return a GeoJSON feature collection (RFC 7946) with one feature per layer that has a cell at the point."""
    features = [
        {
            "type": "Feature",
            "id": info.layer,
            "geometry": {"type": "Point", "coordinates": [info.longitude, info.latitude]},
            "properties": info.properties | _series(info),
        }
        for info in [place_info(layer) for layer in layers]
        if info.properties
    ]
    document = {"type": "FeatureCollection", "features": features}
    return orjson.dumps(
        document, option=orjson.OPT_PASSTHROUGH_SUBCLASS, default=lambda text: orjson.Fragment(str(text))
    )


def _series(info: PlaceInfo) -> Properties:
    """Return lists along time, named by the plural of their column."""
    if not info.rows:
        return {}
    return {f"{name}s": list(column) for name, column in zip(info.columns, zip(*info.rows, strict=True), strict=True)}


def _text(layers: Sequence[Identified]) -> bytes:
    return "\n".join(line for layer in layers for line in _lines(place_info(layer))).encode()


def _lines(info: PlaceInfo) -> Iterator[str]:
    yield f"{info.layer}: {_one_line(info.title)}"
    if not info.properties:
        yield f"  {NOTHING}"
    properties = {name: value for name, value in info.properties.items() if name not in {"layer", "title"}}
    place: Properties = {"longitude": info.longitude, "latitude": info.latitude} if properties else {}
    for name, value in {**properties, **place}.items():
        if value is not None:
            yield f"  {name} = {_one_line(str(value))}"
    if info.rows:
        yield "  " + "\t".join(info.columns)
    for row in info.rows:
        yield "  " + "\t".join("" if value is None else _one_line(str(value)) for value in row)
    yield ""


def _one_line(text: str) -> str:
    # A title cannot imitate a separate line.
    return " ".join(text.split())


def _html(layers: Sequence[Identified]) -> bytes:
    return render_xml(
        "common/templates/feature_info.html", infos=[place_info(layer) for layer in layers], nothing=NOTHING
    )


def _gml(layers: Sequence[Identified], *, namespace: str) -> bytes:
    """Return a GML feature collection with one feature per layer that has a cell at the point."""
    return render_xml(
        "common/templates/feature_info_gml.xml",
        infos=[place_info(layer) for layer in layers],
        namespace=namespace,
        # Names of columns start with a letter; the variable in them may contain any character.
        xml_name=partial(_NO_NAME.sub, "_"),
        zip=zip,
    )


INFO_FORMATS: Mapping[str, InfoEncoder] = {
    "text/plain": _text,
    "text/html": _html,
    "application/json": _json,
    "application/geo+json": _json,
    "application/gml+xml": partial(_gml, namespace=GML_3_2),
    "application/vnd.ogc.gml/3.1.1": partial(_gml, namespace=GML_3_1_1),
    "application/vnd.ogc.gml": partial(_gml, namespace=GML_3_1_1),
}
"""Media types in the order of capabilities: QGIS uses the last one for features; all versions read GML 3.1.1."""
