"""The coordinate reference system of an array, in any spelling and at any level of a file or store."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Literal

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.space.crs import Crs, crs_of
from chronotile.core.model.types import Attributes
from chronotile.readers.cf.axes import (
    CURVILINEAR,
    LATITUDE_UNITS,
    LONGITUDE_UNITS,
    Axes,
    CurvilinearArray,
    cell_coordinates,
)
from chronotile.readers.cf.encoding import decode
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.native_crs import source_crs

Kind = Literal["geographic", "rotated", "projected"]

METRES = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("km", "kilometre", "kilometres", "kilometer", "kilometers"), 1000.0),
    **dict.fromkeys(("ft", "foot", "feet", "international_foot", "international foot"), 0.3048),
    **dict.fromkeys(("us-ft", "us_survey_foot", "us_survey_feet", "us survey foot", "us survey feet"), 1200 / 3937),
}
"""Length of a unit of projection coordinates."""
MAX_DEGREES = 540.0
"""Longitudes in any turn; beyond that, numbers called `lon` are metres."""
_DEGREES = {"degree", "degrees", "deg"}
_STANDARD_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("latitude", "longitude"), "geographic"),
    **dict.fromkeys(("grid_latitude", "grid_longitude"), "rotated"),
}
_WORDS: dict[Kind, str] = {
    "geographic": "longitudes and latitudes",
    "rotated": "rotated longitudes and latitudes",
    "projected": "coordinates of a projection",
}

_KEYS = (
    "crs_wkt", "spatial_ref", "_crs", "proj:wkt2", "proj:code", "proj:projjson", "projjson", "esri_pe_string",
    "epsg_code", "epsg", "proj:epsg", "srid", "wkt", "proj4", "proj4text", "proj4_params", "proj4_string", "crs",
)  # fmt: skip
"""Attributes that state a CRS, in lower case, from precise to loose."""
_GDAL_KEYS = ("wkt", "projjson", "url")
"""Keys of `_CRS`, which GDAL writes into Zarr."""
_CODE = re.compile(r"\b(EPSG|ESRI)\b\D*(?:[\d.]+/)?(\d{4,6})\W*$", re.IGNORECASE)
"""An authority and a code, as in `https://epsg.io/32631`, which PROJ does not accept."""
_CF_NAME = "grid_mapping_name"
_CF_LENGTHS = ("false_easting", "false_northing")
_CF_TOLERANCE_M = 30_000.0
"""Maximum shift of a cell if the ellipsoid changes; some CF parameters have no ellipsoid."""
_CF_ELLIPSOIDS = ("earth_radius", "semi_major_axis", "reference_ellipsoid_name", "horizontal_datum_name")


@dataclass(frozen=True, slots=True)
class CrsStatement:
    """One CRS that a file states for an array."""

    place: str
    """Location of the statement, for messages."""
    crs: Crs
    tolerance_m: float = 0.0
    """Maximum distance from another statement that agrees."""
    is_for_array: bool = True
    """False for a grid mapping of the file that the array does not name."""

    @property
    def kind(self) -> Kind:
        """The kind of coordinates that it fits."""
        definition = self.crs.definition
        if not definition.is_geographic:
            return "projected"
        return "rotated" if definition.is_derived else "geographic"


@dataclass(frozen=True, slots=True)
class ArrayCrs:
    """The CRS of an array, and other statements of the file to compare with its grid."""

    crs: Crs
    place: str = ""
    others: tuple[CrsStatement, ...] = ()
    findings: tuple[Finding, ...] = ()


def resolve_crs(field: Field, fields: FieldSet, axes: Axes) -> ArrayCrs:
    """Return the CRS of an array's x and y, with findings if it was guessed or contradicts other statements.

    A statement is used only if it is for the kind of coordinates of the array: `grid_latitude` is never read as
    latitude, or metres as degrees. Among grid mappings (CF §5.6) the one for the array's coordinates wins.

    Raises:
        UnsupportedSource: No CRS is stated, or none is understood, of the Earth and consistent with the coordinates.
    """
    kinds = _kinds_of_coordinates(axes)
    stated, unknown = _statements(field, fields, axes)
    fitting = [each for each in stated if each.kind in kinds]
    if fitting:
        chosen, passed = fitting[0], stated[: stated.index(fitting[0])]
        others = tuple(each for each in fitting[1:] if each.is_for_array or not chosen.is_for_array)
        messages = [
            f"{each.place} has {_WORDS[each.kind]}, which its coordinates are not; {chosen.place} is used; if that is "
            "wrong, set crs: for the source"
            for each in passed
            if each.is_for_array
        ]
        findings = tuple(Finding("warning", field.name, message) for message in messages)
        return ArrayCrs(chosen.crs, chosen.place, others, findings)
    if kinds == {"geographic"}:
        return _geographic(axes, stated, field.name)
    if stated:
        first = stated[0]
        raise UnsupportedSource(
            f"its coordinates {axes.y} and {axes.x} are {' or '.join(_WORDS[each] for each in sorted(kinds))}, but "
            f"{first.place} states {first.crs.definition.name!r}, which has {_WORDS[first.kind]}; write the CRS of its "
            "coordinates into the file"
        )
    if unknown:
        raise UnsupportedSource(unknown[0])
    if cell_coordinates(field, fields, axes) is not None:
        raise CurvilinearArray(f"{CURVILINEAR}, and no coordinate reference system")
    raise UnsupportedSource("it names no coordinate reference system; set crs: for the source")


def _geographic(axes: Axes, stated: list[CrsStatement], name: str) -> ArrayCrs:
    """The CRS of latitudes and longitudes: that below the projection or pole that is stated, else WGS 84."""
    below = stated[0].crs.definition.geodetic_crs if stated else None
    while below is not None and below.is_derived:
        below = below.source_crs
    if below is None:
        note = "it names no coordinate reference system; latitudes and longitudes are read as EPSG:4326"
        return ArrayCrs(crs_of("EPSG:4326"), findings=(Finding("note", axes.y, note),))
    message = (
        f"{stated[0].place} states {stated[0].crs.definition.name!r}, but its coordinates {axes.y} and {axes.x} are "
        "latitudes and longitudes, by which it is placed; if that is wrong, set crs: for the source"
    )
    return ArrayCrs(source_crs(below.to_wkt()), findings=(Finding("warning", name, message),))


def _kinds_of_coordinates(axes: Axes) -> frozenset[Kind]:
    """The kinds of CRS that the coordinates of an array may be of, by their standard names and units.

    Raises:
        UnsupportedSource: x and y are of different kinds.
    """
    unknown = frozenset[Kind](_WORDS)
    x, y = (unknown if each is None else _kinds_of(each) for each in (axes.x_field, axes.y_field))
    if not x & y:
        raise UnsupportedSource(
            f"its coordinates {axes.y} are {_WORDS[min(y)]} and its coordinates {axes.x} are {_WORDS[min(x)]}: no "
            "coordinate reference system has both"
        )
    return x & y


def _kinds_of(coordinate: Field) -> frozenset[Kind]:
    name, units = coordinate.text("standard_name"), coordinate.text("units").strip().lower()
    own, is_pointed = coordinate.name.lower(), LATITUDE_UNITS.fullmatch(units) or LONGITUDE_UNITS.fullmatch(units)
    kinds: tuple[Kind, ...] = ("geographic", "rotated", "projected")
    if name in _STANDARD_KINDS:
        kinds = (_STANDARD_KINDS[name],)
    elif name.startswith("projection_") or units in METRES:
        kinds = ("projected",)
    elif own in {"rlat", "rlon"}:
        kinds = ("rotated",)
    elif is_pointed or (own in {"lat", "lon", "latitude", "longitude"} and _is_within_degrees(coordinate)):
        kinds = ("geographic",)
    elif units in _DEGREES:
        kinds = ("geographic", "rotated")
    return frozenset(kinds)


def _is_within_degrees(coordinate: Field) -> bool:
    values = decode(coordinate).values
    return values.dtype.kind in "iuf" and bool(np.abs(values.astype(np.float64)).max(initial=0.0) <= MAX_DEGREES)


# Statements: their places and notations.


def _statements(field: Field, fields: FieldSet, axes: Axes) -> tuple[list[CrsStatement], list[str]]:
    """The CRSs that are stated for an array, in order of precedence, and why others are not understood."""
    own, further = grid_mappings(field, fields, axes)
    along = [each for each in (axes.y_field, axes.x_field) if each is not None]
    scalars = [each for each in fields.coordinates_named_by(field) if not each.dims and each not in further]
    places = [
        *((f"grid mapping {each.name}", each.attrs, True) for each in own),
        (f"array {field.name}", field.attrs, True),
        *((f"coordinate {each.name}", each.attrs, True) for each in (*along, *scalars)),
        *((f"grid mapping {each.name}", each.attrs, False) for each in further),
        *(("the parent group" if level else "the group", attrs, True) for level, attrs in enumerate(fields.levels)),
    ]
    unit_m = METRES.get(along[-1].text("units").strip().lower(), 1.0) if along else 1.0
    stated, unknown = list[CrsStatement](), list[str]()
    for place, attributes, is_for_array in places:
        spelled: Crs | None = None
        for key, text in _list_spellings(attributes):
            try:
                crs = _crs_from_text(text)
            except UnsupportedSource as error:
                unknown.append(error.message)
                continue
            if crs is not None:
                spelled = spelled or crs
                stated.append(CrsStatement(f"{key} of {place}", crs, is_for_array=is_for_array))
            elif key.lower() != "crs":  # `crs` is often the name of a grid mapping, or another text
                unknown.append(f"its coordinate reference system is not understood: {key} of {place}, {text[:80]!r}")
        if _CF_NAME in attributes:
            parameters = {key: _unwrap(value) for key, value in attributes.items() if str(key).lower() not in _KEYS}
            tolerance_m = 0.0 if any(key in parameters for key in _CF_ELLIPSOIDS) else _CF_TOLERANCE_M
            try:
                crs = _crs_from_parameters(json.dumps(parameters, sort_keys=True, default=str), spelled, unit_m)
                stated.append(CrsStatement(place, crs, tolerance_m, is_for_array))
            except UnsupportedSource as error:
                unknown.append(error.message)
    return stated, unknown


def grid_mappings(field: Field, fields: FieldSet, axes: Axes) -> tuple[list[Field], list[Field]]:
    """Return the grid mappings that an array names for its coordinates; if none exists, mappings it does not name.

    CF §5.6: `geo: lat lon pole: rlat rlon` names two, each for its coordinates.
    """
    covered = dict[str, set[str]]()
    words = field.text("grid_mapping").replace(":", ": ").split()
    is_extended = any(word.endswith(":") for word in words)
    for word in words:
        if word.endswith(":") or not is_extended:
            covered[word.removesuffix(":")] = set()
        elif covered:
            covered[list(covered)[-1]].add(word)
    along = [{dim, its.name if its else dim} for dim, its in ((axes.y, axes.y_field), (axes.x, axes.x_field))]
    names = [name for name, its in covered.items() if not its or all(its & each for each in along)]
    own = [fields.fields[name] for name in names if name in fields.fields]
    others = [each for each in fields.fields.values() if each.name not in covered and _is_mapping(each)]
    return own, [] if own else others


def _is_mapping(field: Field) -> bool:
    is_stated = _CF_NAME in field.attrs or any(str(key).lower() in _KEYS for key in field.attrs)
    return is_stated and prod(field.shape) <= 1


def _list_spellings(attributes: Attributes) -> Iterator[tuple[str, str]]:
    """The texts, codes and PROJJSON objects that state a CRS, each as a text, by precedence of their keys."""
    known = {str(key).lower(): key for key in attributes}
    for key in (known[each] for each in _KEYS if each in known):
        value = _unwrap(attributes[key])
        if isinstance(value, str) and value.lstrip().startswith("{"):
            with suppress(ValueError):
                value = json.loads(value)
        parts = value if isinstance(value, dict) else {}
        spelled = {f"{key} ({part})": parts[part] for part in _GDAL_KEYS if part in parts}
        for name, each in (spelled or {key: value}).items():
            if isinstance(each, dict) and each:
                yield name, json.dumps(each, sort_keys=True)
            elif each not in (None, "", [], {}):
                yield name, f"{each:.0f}" if isinstance(each, int | float) else str(each).strip()


@lru_cache(maxsize=512)
def _crs_from_text(text: str) -> Crs | None:
    """Return the CRS of a text; `None` if there is none.

    Raises:
        UnsupportedSource: It cannot be served.
    """
    code = _CODE.search(text)
    coded, plain = f"{code[1].upper()}:{code[2]}" if code else "", f"EPSG:{text}" if text.isdigit() else text
    for spelled in (coded,) if text.startswith("+init=") else (plain, coded):
        try:
            definition = CRS.from_user_input(spelled)
        except CRSError:
            continue
        return source_crs(definition.to_wkt() if spelled.startswith("{") else spelled)
    return None


@lru_cache(maxsize=512)
def _crs_from_parameters(text: str, spelled: Crs | None, unit_m: float) -> Crs:
    """Return the CRS of CF parameters (CF appendix F); false easting and northing are in units of the projection.

    Args:
        text: The attributes of the grid mapping as JSON.
        spelled: CRS of another notation (such as WKT) in the same mapping; the parameters have its unit.
        unit_m: Length of the unit of x. Without `spelled`, the parameters are in feet if x is in feet, otherwise in
            metres, also in files with x in kilometres.
    """
    parameters = json.loads(text)
    parameters[_CF_NAME] = str(parameters[_CF_NAME]).strip().lower()
    unit_m, cartesian_cs = min(unit_m, 1.0), None
    if spelled is not None and not spelled.is_geographic:
        unit_m = spelled.metres_per_unit
        cartesian_cs = None if unit_m == 1 else spelled.definition.coordinate_system
    try:
        parameters |= {key: parameters[key] * unit_m for key in _CF_LENGTHS if key in parameters}
        definition = CRS.from_cf(parameters, cartesian_cs=cartesian_cs)
    except (CRSError, KeyError, ValueError, TypeError) as error:
        raise UnsupportedSource(
            f"its grid mapping {parameters[_CF_NAME]} is not understood: {str(error)[:120]}"
        ) from error
    return source_crs(definition.to_wkt())


def _unwrap(value: object) -> object:
    """An attribute without numpy's types."""
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size != 1 else value.ravel()[0].item()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.item() if isinstance(value, np.generic) else value
