"""What documents of several formats have in common: long lists in parts, instants, CoverageJSON, credits."""

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

LEAST_BYTES = 1 << 16
"""Of a part, unless it is the last."""


def with_list(document: bytes, name: str, members: Iterable[bytes], *, tail: bytes = b"{}") -> Generator[bytes]:
    """Yield a JSON object, one more of whose members is a list, while that is made.

    Args:
        document: The object without that list, with one member or more.
        name: Of the list.
        members: Of the list, each as JSON.
        tail: An object, whose members follow the list.
    """
    yield from join_parts(_parts(document, name, members, tail))


def join_parts(parts: Iterable[bytes]) -> Generator[bytes]:
    """Yield the bytes of parts of a document, joined until they are worth sending."""
    held, size = list[bytes](), 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= LEAST_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _parts(document: bytes, name: str, members: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    yield document[:-1] + f',"{name}":['.encode()
    for number, member in enumerate(members):
        yield b"," + member if number else member
    yield b"]" + (b"," if len(tail) > len(b"{}") else b"") + tail[1:]


_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
"""With which orjson writes arrays, and instants in them as `format_instant` does."""


def json_instants(instants: InstantArray) -> orjson.Fragment:
    """Return (time,) as JSON, as `format_instants` gives them; may be written into many documents at no cost.

    Whole seconds orjson formats by itself, 30 times as fast.
    """
    is_whole = np.array_equal(instants.astype("datetime64[s]"), instants)  # never of a NaT
    listed = np.ascontiguousarray(instants) if is_whole else format_instants(instants)
    return orjson.Fragment(dump_json(listed))


def dump_json(document: object) -> bytes:
    """Return a document as JSON; arrays of numbers, and instants in them, may be part of it."""
    return orjson.dumps(document, option=_OPTIONS)


def format_instants(instants: InstantArray) -> list[str | None]:
    """Return what `format_instant` gives for each of (time,), ten times as fast where all are whole seconds.

    `None` stands for no time (NaT): that of the one value of a layer without time.
    """
    if np.isnat(instants).any():
        return [None if np.isnat(instant) else format_instant(instant) for instant in instants]
    seconds = instants.astype("datetime64[s]")
    if not np.array_equal(seconds, instants):
        return [format_instant(instant) for instant in instants]
    return [f"{text}Z" for text in np.datetime_as_string(seconds).tolist()]


UCUM = "http://www.opengis.net/def/uom/UCUM/"
STANDARD_NAMES = "http://vocab.nerc.ac.uk/standard_name/"
"""Where CF's names have URIs."""
ANY_LANGUAGE = "en"
"""The tag of a text for any language: CoverageJSON has no other."""

TEMPORAL: Mapping[str, Any] = {"coordinates": ["t"], "system": {"type": "TemporalRS", "calendar": "Gregorian"}}


def referencing(crs: Crs, *, has_time: bool) -> list[Mapping[str, Any]]:
    """Return the reference systems of the axes x, y and t; x and y in the order that the CRS has them (§5.1)."""
    system = {"type": "GeographicCRS" if crs.is_geographic else "ProjectedCRS"}
    if crs.uri is not None:
        system["id"] = crs.uri
    spatial = {"coordinates": ["y", "x"] if is_north_first(crs) else ["x", "y"], "system": system}
    return [spatial, TEMPORAL] if has_time else [spatial]


def polygons_axis(polygons: Sequence[Polygon]) -> Json:
    """Return the axis of polygons (§9.11.9), whose rings are in the order of RFC 7946."""
    rings = [[np.ascontiguousarray(ring) for ring in polygon] for polygon in polygons]
    return {"dataType": "polygon", "coordinates": ["x", "y"], "values": rings}


def polygons_domain_type(count: int, *, has_time: bool) -> str:
    """Return the type of a domain of so many polygons."""
    return f"{'Polygon' if count == 1 else 'MultiPolygon'}{'Series' if has_time else ''}"


def values_along_time(values: AnyArray, *, has_time: bool, polygons: int = 1, is_whole: bool = False) -> Json:
    """Return (time,) values as an array; of several polygons, which share them, one per time and polygon.

    The standard has no domain in which one value belongs to several polygons together.

    Args:
        values: Whole numbers, or others as text has them, with NaN where there is none.
        has_time: Whether there is an axis of time.
        polygons: How many there are.
        is_whole: Whether all are whole numbers, though some may be NaN.
    """
    kind = "integer" if is_whole or values.dtype.kind in "iu" else "float"
    names, shape = (["t"], [len(values)]) if has_time else ([], [])
    if polygons != 1:
        names, shape, values = [*names, "composite"], [*shape, polygons], np.repeat(values, polygons)
    listed = _whole_numbers(values) if is_whole else numbers_json(values)
    return {"type": "NdArray", "dataType": kind, "axisNames": names, "shape": shape, "values": listed}


def _whole_numbers(values: AnyArray) -> list[int | None]:
    return [
        int(value) if is_known else None for value, is_known in zip(values.tolist(), np.isfinite(values), strict=True)
    ]


def parameter(label: Mapping[str, str], units: str) -> Json:
    """Return a parameter (§5.3) of numbers in some units; without a unit where there are none."""
    document: Json = {"type": "Parameter", "observedProperty": {"label": label}}
    if units:
        document["unit"] = {"symbol": {"value": units, "type": UCUM}}
    return document


def layer_parameter(layer: Layer, *, method: str | None = None) -> Json:
    """Return the parameter that the values of a layer are of; classes in place of a unit where they are categories.

    Args:
        layer: With values of its own.
        method: How many values became one, such as `mean`; there are no categories then.
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
            {"id": category_id(each), "label": {ANY_LANGUAGE: each.label}} for each in classes
        ]
        document["categoryEncoding"] = {category_id(each): json_number(each.value) for each in classes}
    return document


def categories_of(layer: Layer) -> tuple[StyleClass, ...]:
    """Return the classes of categories, those of the file or of the first style that has some; none of quantities.

    Nor are there any where one is not a whole number, which an encoding of categories has no room for (§5.3.1).
    """
    variable = layer.main_variable
    if not variable.is_categorical:
        return ()
    classes = variable.classes or next((each.classes for each in layer.styles if each.classes), ())
    return classes if all(float(each.value).is_integer() for each in classes) else ()


_NO_NAME = re.compile(r"\W")


def name_of(text: str) -> str:
    """Return a text as a name of CF: with an underscore for what is not a letter or digit."""
    return _NO_NAME.sub("_", text)


def distinct_names(texts: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Return a name of CF for each text, none of `taken`; of two that are the same the second ends in `_2`."""
    names: list[str] = []
    for text in texts:
        stem = name_of(text)
        ends = chain([stem], (f"{stem}_{number}" for number in count(2)))
        names.append(next(name for name in ends if name not in taken and name not in names))
    return names


def category_id(each: StyleClass) -> str:
    """Return the id of a class within its parameter: a relative URI."""
    return f"#{each.value:g}"


def standard_name_uri(name: str) -> str:
    """Return the URI of a name of CF."""
    return f"{STANDARD_NAMES}{name}/"


def i18n(texts: LocalisedText) -> dict[str, str]:
    """Return a text by language tags; the one for any language stands under `en`, if there is no English one."""
    tagged = {tag: text for tag, text in texts.items() if tag and text}
    return {ANY_LANGUAGE: texts[""], **tagged} if texts.get("") else tagged


class Credited(Protocol):
    """A layer or a collection."""

    @property
    def attribution(self) -> str | None:
        """Whom to name."""

    @property
    def license(self) -> str | None:
        """Under which terms it may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Whom files name."""

    attribution: str | None = None
    license: str | None = None

    @classmethod
    def of(cls, layers: Iterable[Credited], collection: Credited | None = None) -> "Credits":
        """Return the credits of some layers, each once; where a layer has none, those of its collection."""
        listed = list(layers)
        usual = cls() if collection is None else collection
        return cls(
            attribution=_each_once(each.attribution or usual.attribution for each in listed),
            license=_each_once(each.license or usual.license for each in listed),
        )

    @property
    def texts(self) -> dict[str, str]:
        """What there is of them, by the name that files give it."""
        both = {"attribution": self.attribution, "license": self.license}
        return {name: text for name, text in both.items() if text}


def _each_once(texts: Iterable[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(text for text in texts if text)) or None
