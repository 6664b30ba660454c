"""Attributes of the Copernicus Space Component and their equivalent properties in STAC items."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from chronotile.catalog.items.properties import instant_in
from chronotile.core.model.time.instants import format_instant

Way = Literal["same", "upper", "prefixed", "serial", "listed"]
"""Relation of a property to an attribute: same text, lower case, after a prefix, last letter of a platform
(`sentinel-2a`: A), or list."""
SERIAL = re.compile(r".*-(?:\d([a-z])|(\d{1,3}))", re.ASCII | re.IGNORECASE | re.DOTALL)
BETWEEN = "&"
"""Separator of values of a list, as in VV&VH."""


@dataclass(frozen=True, slots=True)
class Form:
    """A property with the value of an attribute."""

    property: str
    way: Way = "same"
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of products."""

    name: str
    type: str
    forms: tuple[Form, ...]
    """Properties in order of preference."""


def _attribute(name: str, type_: str, *properties: str, way: Way = "same") -> Attribute:
    return Attribute(name, type_, tuple(Form(name, way) for name in properties))


TABLE = (
    _attribute("cloudCover", "Double", "eo:cloud_cover"),
    _attribute("snowCover", "Double", "eo:snow_cover"),
    _attribute("productType", "String", "product:type", "s2:product_type", "sar:product_type"),
    _attribute("platformShortName", "String", "constellation", way="upper"),
    _attribute("platformSerialIdentifier", "String", "platform", way="serial"),
    _attribute("instrumentShortName", "String", "instruments", way="listed"),
    _attribute("operationalMode", "String", "sar:instrument_mode", "eopf:instrument_mode"),
    _attribute("polarisationChannels", "String", "sar:polarizations", way="listed"),
    Attribute("tileId", "String", (Form("s2:mgrs_tile"), Form("grid:code", "prefixed", "MGRS-"))),
    _attribute("orbitNumber", "Integer", "sat:absolute_orbit"),
    _attribute("relativeOrbitNumber", "Integer", "sat:relative_orbit"),
    _attribute("orbitDirection", "String", "sat:orbit_state", way="upper"),
    _attribute("cycleNumber", "Integer", "sat:orbit_cycle"),
    _attribute("datatakeID", "Integer", "s1:datatake_id", "eopf:datatake_id"),
    _attribute("sliceNumber", "Integer", "s1:slice_number"),
    _attribute("processingLevel", "String", "processing:level"),
    _attribute("processorVersion", "String", "processing:version", "s2:processing_baseline"),
    _attribute("processingDate", "DateTimeOffset", "processing:datetime", "s2:generation_time"),
    _attribute("timeliness", "String", "product:timeliness_category"),
    _attribute("datastripId", "String", "s2:datastrip_id", "eopf:datastrip_id"),
    _attribute("granuleIdentifier", "String", "s2:granule_id", "s2:tile_id"),
    _attribute("spatialResolution", "Double", "gsd"),
    _attribute("illuminationElevationAngle", "Double", "view:sun_elevation"),
    _attribute("illuminationAzimuthAngle", "Double", "view:sun_azimuth"),
)
"""Attributes per mission: https://documentation.dataspace.copernicus.eu/APIs/OData.html"""
BY_NAME: Mapping[str, Attribute] = {attribute.name: attribute for attribute in TABLE}
MAPPED = {form.property for attribute in TABLE for form in attribute.forms}
NOT_ATTRIBUTES = {"datetime", "start_datetime", "end_datetime", "created", "updated", "title", "description"}
"""Properties that are members of products or free text."""


def attribute_of(name: str, type_: str) -> Attribute:
    """Return the attribute of a name; if it is not in the table, the property of that name."""
    return BY_NAME.get(name) or _attribute(name, type_, name)


def attributes_in(properties: Mapping[str, Any]) -> Iterator[tuple[Attribute, str | int | float | bool]]:
    """Yield attributes of an item with their values: first the fields of the table, then other properties by name."""
    for attribute in TABLE:
        values = (_value(form, properties.get(form.property)) for form in attribute.forms)
        value = next((v for v in values if v is not None), None)
        if value is not None and is_of_type(value, attribute.type):
            yield attribute, value
    for name in sorted(properties.keys() - MAPPED - NOT_ATTRIBUTES):
        value = properties[name]
        if isinstance(value, str | int | float):
            yield _attribute(name, _type_of(value), name), value


def is_of_type(value: object, type_: str) -> bool:
    """Return whether a value fits a type of the table."""
    if type_ == "Boolean" or isinstance(value, bool):
        return isinstance(value, bool) and type_ == "Boolean"
    if type_ in {"Double", "Integer"}:
        return isinstance(value, int | float)
    return isinstance(value, str) and (type_ == "String" or instant_in(value) is not None)


def _value(form: Form, value: object) -> Any:  # noqa: ANN401 -- of JSON
    if form.way == "listed":
        are_texts = isinstance(value, list) and value and all(isinstance(v, str) for v in value)
        return BETWEEN.join(value).upper() if isinstance(value, list) and are_texts else None
    if form.way == "same" or not isinstance(value, str):
        return value if form.way == "same" and isinstance(value, str | int | float) else None
    if form.way == "upper":
        return value.upper()
    if form.way == "prefixed":
        return value.removeprefix(form.prefix) if value.startswith(form.prefix) else None
    match = SERIAL.fullmatch(value)
    return None if match is None else (match[1] or match[2]).upper()


def _type_of(value: str | float) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int | float):
        return "Integer" if isinstance(value, int) else "Double"
    return "String" if instant_in(value) is None else "DateTimeOffset"


def moment_in(value: object) -> str | None:
    """Return an RFC 3339 time in UTC; `None` if the value is not a time."""
    instant = instant_in(value) if isinstance(value, str) else None
    return None if instant is None else format_instant(np.datetime64(instant, "ns"))


def text_of(value: object) -> str:
    """Return a text without surrounding blanks; empty if the value is not a text."""
    return value.strip() if isinstance(value, str) else ""
