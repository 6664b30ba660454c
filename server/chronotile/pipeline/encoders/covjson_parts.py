"""Parts of CoverageJSON documents: reference systems, axes, arrays and parameters (OGC 21-069r2)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chronotile.core.model.collection import Layer, LocalisedText
from chronotile.core.model.geometry.area import Polygon
from chronotile.core.model.number_text import json_number, numbers_json
from chronotile.core.model.space.crs import Crs, is_north_first
from chronotile.core.model.style import StyleClass
from chronotile.core.model.types import AnyArray, Json

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
