"""Parts of documents in several formats: lists that are made while they are sent, instants, CoverageJSON, credits."""

import re
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Protocol

import numpy as np
import orjson

from chronotile.core.model.collection import Layer, LocalisedText
from chronotile.core.model.geometry.area import Polygon
from chronotile.core.model.number_text import json_number, numbers_json
from chronotile.core.model.space.crs import Crs, is_north_first
from chronotile.core.model.style import StyleClass
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import AnyArray, InstantArray, Json

MIN_BYTES = 1 << 16
"""Minimum size of a part, except the last."""


def stream_with_list(document: bytes, name: str, members: Iterable[bytes], *, tail: bytes = b"{}") -> Generator[bytes]:
    """Yield a JSON object with one more member: a list that is made while it is sent.

    Args:
        document: The object without the list; it has at least one member.
        name: Name of the list.
        members: Members of the list, each as JSON.
        tail: An object whose members follow the list.
    """
    yield from join_parts(_parts(document, name, members, tail))


def join_parts(parts: Iterable[bytes]) -> Generator[bytes]:
    """Yield the bytes of parts of a document, joined to pieces of at least `MIN_BYTES`."""
    pieces, size = list[bytes](), 0
    for part in parts:
        pieces.append(part)
        size += len(part)
        if size >= MIN_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def _parts(document: bytes, name: str, members: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    yield document[:-1] + f',"{name}":['.encode()
    for number, member in enumerate(members):
        yield b"," + member if number else member
    yield b"]" + (b"," if len(tail) > len(b"{}") else b"") + tail[1:]


_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
"""Write arrays, and instants in them like `format_instant`."""


def json_instants(instants: InstantArray) -> orjson.Fragment:
    """Return (time,) instants as JSON that can be part of many documents without being written again.

    Whole seconds are written by orjson, 30 times as fast as by `format_instants`.
    """
    is_whole = np.array_equal(instants.astype("datetime64[s]"), instants)  # never of a NaT
    listed = np.ascontiguousarray(instants) if is_whole else format_instants(instants)
    return orjson.Fragment(dump_json(listed))


def dump_json(document: object) -> bytes:
    """Return a document as JSON; it may contain arrays of numbers and instants."""
    return orjson.dumps(document, option=_OPTIONS)


def format_instants(instants: InstantArray) -> list[str | None]:
    """Return the text of `format_instant` for (time,) instants; ten times as fast if all are whole seconds.

    `None` stands for `NaT`, the time of the only value of a layer without time.
    """
    if np.isnat(instants).any():
        return [None if np.isnat(instant) else format_instant(instant) for instant in instants]
    seconds = instants.astype("datetime64[s]")
    if not np.array_equal(seconds, instants):
        return [format_instant(instant) for instant in instants]
    return [f"{text}Z" for text in np.datetime_as_string(seconds).tolist()]


UCUM = "http://www.opengis.net/def/uom/UCUM/"
STANDARD_NAMES = "http://vocab.nerc.ac.uk/standard_name/"
"""Prefix of the URIs of standard names of CF."""
ANY_LANGUAGE = "en"
"""Language tag of texts without a language, which CoverageJSON requires."""

TEMPORAL: Mapping[str, Any] = {"coordinates": ["t"], "system": {"type": "TemporalRS", "calendar": "Gregorian"}}


def reference_systems(crs: Crs, *, has_time: bool) -> list[Mapping[str, Any]]:
    """Return the reference systems of the axes x, y and t; x and y are in the axis order of the CRS (§5.1)."""
    system = {"type": "GeographicCRS" if crs.is_geographic else "ProjectedCRS"}
    if crs.uri is not None:
        system["id"] = crs.uri
    spatial = {"coordinates": ["y", "x"] if is_north_first(crs) else ["x", "y"], "system": system}
    return [spatial, TEMPORAL] if has_time else [spatial]


def polygons_axis(polygons: Sequence[Polygon]) -> Json:
    """Return the axis of polygons (§9.11.9); their rings have the order of RFC 7946."""
    rings = [[np.ascontiguousarray(ring) for ring in polygon] for polygon in polygons]
    return {"dataType": "polygon", "coordinates": ["x", "y"], "values": rings}


def polygons_domain_type(count: int, *, has_time: bool) -> str:
    """Return the domain type for a number of polygons."""
    return f"{'Polygon' if count == 1 else 'MultiPolygon'}{'Series' if has_time else ''}"


def values_along_time(values: AnyArray, *, has_time: bool, polygons: int = 1, is_whole: bool = False) -> Json:
    """Return (time,) values as an array, repeated for each polygon if there are several.

    CoverageJSON has no domain in which several polygons have one value together.

    Args:
        values: Integers, or numbers with NaN for missing values.
        has_time: Whether the domain has a time axis.
        polygons: Number of polygons.
        is_whole: Whether all finite values are integers.
    """
    kind = "integer" if is_whole or values.dtype.kind in "iu" else "float"
    names, shape = (["t"], [len(values)]) if has_time else ([], [])
    if polygons != 1:
        names, shape, values = [*names, "composite"], [*shape, polygons], np.repeat(values, polygons)
    listed = _whole_numbers(values) if is_whole else numbers_json(values)
    return {"type": "NdArray", "dataType": kind, "axisNames": names, "shape": shape, "values": listed}


def _whole_numbers(values: AnyArray) -> list[int | None]:
    return [
        int(value) if is_finite else None for value, is_finite in zip(values.tolist(), np.isfinite(values), strict=True)
    ]


def parameter(label: Mapping[str, str], units: str) -> Json:
    """Return a parameter of numbers (§5.3); it has no unit if `units` is empty."""
    document: Json = {"type": "Parameter", "observedProperty": {"label": label}}
    if units:
        document["unit"] = {"symbol": {"value": units, "type": UCUM}}
    return document


def layer_parameter(layer: Layer, *, method: str | None = None) -> Json:
    """Return the parameter of a layer; categories have classes instead of a unit.

    Args:
        layer: A layer that is not a composite.
        method: Method that reduced many values to one, such as `mean`; its results are not categories.
    """
    variable = layer.main_variable
    document = parameter(i18n(layer.title) or {ANY_LANGUAGE: layer.id}, variable.encoding.units)
    if layer.abstract:
        document["description"] = i18n(layer.abstract)
    if variable.standard_name:
        document["observedProperty"]["id"] = standard_name_uri(variable.standard_name)
    if method is not None:
        return {**document, "measurementType": {"method": method}}
    classes = categories_of(layer)
    if classes:
        document.pop("unit", None)
        document["observedProperty"]["categories"] = [
            {"id": category_id(entry), "label": {ANY_LANGUAGE: entry.label}} for entry in classes
        ]
        document["categoryEncoding"] = {category_id(entry): json_number(entry.value) for entry in classes}
    return document


def categories_of(layer: Layer) -> tuple[StyleClass, ...]:
    """Return the classes of a categorical layer: of its variable, else of its first style with classes.

    Returns:
        Empty for quantities, and if a class is not an integer, which an encoding of categories requires (§5.3.1).
    """
    variable = layer.main_variable
    if not variable.is_categorical:
        return ()
    classes = variable.classes or next((style.classes for style in layer.styles if style.classes), ())
    return classes if all(float(entry.value).is_integer() for entry in classes) else ()


_NO_NAME = re.compile(r"\W")


def name_of(text: str) -> str:
    """Return a text as a name of CF: characters other than letters and digits become underscores."""
    return _NO_NAME.sub("_", text)


def distinct_names(texts: Iterable[str], existing: Collection[str] = ()) -> list[str]:
    """Return a name of CF for each text that is not in `existing`; a second equal name ends in `_2`."""
    names: list[str] = []
    for text in texts:
        stem = name_of(text)
        ends = chain([stem], (f"{stem}_{number}" for number in count(2)))
        names.append(next(name for name in ends if name not in existing and name not in names))
    return names


def category_id(entry: StyleClass) -> str:
    """Return the id of a class inside its parameter: a relative URI."""
    return f"#{entry.value:g}"


def standard_name_uri(name: str) -> str:
    """Return the URI of a standard name of CF."""
    return f"{STANDARD_NAMES}{name}/"


def i18n(texts: LocalisedText) -> dict[str, str]:
    """Return a text by language tag; a text without a language is English, unless an English one exists."""
    tagged = {tag: text for tag, text in texts.items() if tag and text}
    return {ANY_LANGUAGE: texts[""], **tagged} if texts.get("") else tagged


class Credited(Protocol):
    """A layer or a collection."""

    @property
    def attribution(self) -> str | None:
        """Text that names the authors of the data."""

    @property
    def license(self) -> str | None:
        """Terms under which the data may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Attribution and licence of the data in a file."""

    attribution: str | None = None
    license: str | None = None

    @classmethod
    def from_layers(cls, layers: Iterable[Credited], collection: Credited | None = None) -> "Credits":
        """Return the credits of layers without duplicates; a layer without credits has those of its collection."""
        listed = list(layers)
        usual = cls() if collection is None else collection
        return cls(
            attribution=_join_distinct(layer.attribution or usual.attribution for layer in listed),
            license=_join_distinct(layer.license or usual.license for layer in listed),
        )

    @property
    def texts(self) -> dict[str, str]:
        """Texts that are not empty, by their name in files."""
        both = {"attribution": self.attribution, "license": self.license}
        return {name: text for name, text in both.items() if text}


def _join_distinct(texts: Iterable[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(text for text in texts if text)) or None
