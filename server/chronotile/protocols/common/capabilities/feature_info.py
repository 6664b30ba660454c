"""What layers show at a place, in the formats that WMS and WMTS clients ask GetFeatureInfo for."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import orjson

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnsupportedFormat
from chronotile.core.model.grid import Grid
from chronotile.core.model.number_text import number_texts, text_values
from chronotile.core.model.payload import CellSeries, Identified
from chronotile.core.model.raster import REASON_UNREADABLE
from chronotile.core.model.request import Point
from chronotile.core.model.types import AnyArray
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.pipeline.identify import InfoFormat
from chronotile.protocols.common.query.kvp import integer
from chronotile.protocols.common.xml import render_xml

Scalar = str | float | bool | None
Properties = dict[str, Scalar | list[Scalar]]
Writer = Callable[[Sequence[Identified]], bytes]

GML_3_1_1, GML_3_2 = "http://www.opengis.net/gml", "http://www.opengis.net/gml/3.2"
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")
NOTHING = "nothing: the place is outside the layer"


class NumberText(str):
    """A number, as all formats have it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PlaceInfo:
    """A layer with what it shows, as documents list it; empty outside the layer."""

    layer: str
    title: str
    longitude: float
    latitude: float
    """Of the cell's centre."""
    properties: Properties
    """Of the newest time that has a value: what a map of all the requested times shows."""
    columns: tuple[str, ...] = ()
    """Names of the columns of `rows`."""
    rows: tuple[tuple[Scalar, ...], ...] = ()
    """One per time, where a list or an interval was requested."""


def place_info(found: Identified) -> PlaceInfo:
    """Return the properties of a layer: the same names in every format."""
    if not found.cells:
        return PlaceInfo(found.layer, found.title, found.longitude, found.latitude, {})
    longitude, latitude = found.cells[0].centre
    shown = _shown(found)
    columns = dict(_columns(found))
    properties: Properties = {"layer": found.layer, "title": found.title, "style": found.style}
    properties |= {name: column[shown] for name, column in columns.items()}
    properties |= {f"units{behind}": cell.units for cell, behind in _named(found)}
    rows = tuple(zip(*columns.values(), strict=True)) if found.is_series else ()
    return PlaceInfo(found.layer, found.title, longitude, latitude, properties, tuple(columns), rows)


def info_format(media_type: str, *, locator: str) -> InfoFormat:
    """Return the format of that media type, whose parameters and case are of no account.

    Raises:
        UnsupportedFormat: It is not offered.
    """
    name = media_type.partition(";")[0].strip().lower()
    if name not in INFO_FORMATS:
        message = f"{locator} {media_type[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(INFO_FORMATS)}"
        raise UnsupportedFormat(message, locator=locator)
    return InfoFormat(media_type=name, encode=INFO_FORMATS[name])


def pixel_place(text: str, size: int, *, locator: str) -> int:
    """Return the column or row that a text names, of `size` of them.

    Raises:
        InvalidParameter: It is not a number, or none of theirs.
    """
    place = integer(text, locator=locator)
    if not 0 <= place < size:
        raise InvalidParameter(f"{locator} must be from 0 to {size - 1}, got {text[:MAX_SHOWN]}", locator=locator)
    return place


def pixel_point(grid: Grid, column: int, row: int) -> Point:
    """Return the centre of a pixel, counted from the north-west: the place whose cell a picture shows there."""
    columns, rows = np.array([column + 0.5]), np.array([row + 0.5])
    return Point(x=float(grid.x_of(columns)[0]), y=float(grid.y_of(rows)[0]), crs=grid.crs)


def _shown(found: Identified) -> int:
    # The newest time at which all variables have a value, else the newest.
    valid = np.all([~np.isnan(cell.values) for cell in found.cells], axis=0)
    return int(np.flatnonzero(valid)[-1]) if valid.any() else len(found.times) - 1


def _columns(found: Identified) -> Iterator[tuple[str, list[Scalar]]]:
    """What there is of each time; of a composite, the variable's name stands behind that of the column."""
    yield "time", [*format_instants(found.times)]
    for cell, behind in _named(found):
        yield f"value{behind}", _numbers(text_values(cell.values, cell.encoding))
        numbers = zip(_numbers(cell.numbers), cell.reasons, strict=True)
        yield f"number{behind}", [None if reason == REASON_UNREADABLE else number for number, reason in numbers]
        if any(cell.labels):
            yield f"label{behind}", [*cell.labels]
        yield f"reason{behind}", [*cell.reasons]
        if cell.dates is not None:
            yield f"dates{behind}", [cell.dates]
    yield "colour", [colour.hex if colour.alpha else "transparent" for colour in found.colours]


def _numbers(numbers: AnyArray) -> list[Scalar]:
    return [NumberText(text) if text else None for text in number_texts(numbers)]


def _named(found: Identified) -> Iterator[tuple[CellSeries, str]]:
    for cell in found.cells:
        yield cell, "" if len(found.cells) == 1 else f"_{cell.variable}"


def _json(found: Sequence[Identified]) -> bytes:
    """A GeoJSON feature collection (RFC 7946), one feature a layer that has a cell there."""
    features = [
        {
            "type": "Feature",
            "id": info.layer,
            "geometry": {"type": "Point", "coordinates": [info.longitude, info.latitude]},
            "properties": info.properties | _series(info),
        }
        for info in [place_info(each) for each in found]
        if info.properties
    ]
    document = {"type": "FeatureCollection", "features": features}
    return orjson.dumps(
        document, option=orjson.OPT_PASSTHROUGH_SUBCLASS, default=lambda text: orjson.Fragment(str(text))
    )


def _series(info: PlaceInfo) -> Properties:
    """Lists along time, each under the plural of its column."""
    if not info.rows:
        return {}
    return {f"{name}s": list(column) for name, column in zip(info.columns, zip(*info.rows, strict=True), strict=True)}


def _text(found: Sequence[Identified]) -> bytes:
    return "\n".join(line for each in found for line in _lines(place_info(each))).encode()


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
    # No title can look like a line of its own.
    return " ".join(text.split())


def _html(found: Sequence[Identified]) -> bytes:
    return render_xml("common/templates/feature_info.html", infos=[place_info(each) for each in found], nothing=NOTHING)


def _gml(found: Sequence[Identified], *, namespace: str) -> bytes:
    """A feature collection of GML, one feature a layer that has a cell there."""
    return render_xml(
        "common/templates/feature_info_gml.xml",
        infos=[place_info(each) for each in found],
        namespace=namespace,
        # A column's name begins with a letter; the variable in it may have anything.
        xml_name=partial(_NO_NAME.sub, "_"),
        zip=zip,
    )


INFO_FORMATS: Mapping[str, Writer] = {
    "text/plain": _text,
    "text/html": _html,
    "application/json": _json,
    "application/geo+json": _json,
    "application/gml+xml": partial(_gml, namespace=GML_3_2),
    "application/vnd.ogc.gml/3.1.1": partial(_gml, namespace=GML_3_1_1),
    "application/vnd.ogc.gml": partial(_gml, namespace=GML_3_1_1),
}
"""Media types in the order of the capabilities: of several for features QGIS takes the last, and GML 3.1.1 is the one
that all its versions read."""
