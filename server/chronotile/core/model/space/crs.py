"""Coordinate reference systems under one canonical name, and transforms between them."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Any, Protocol

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from chronotile.core.errors import UnsupportedCrs

CRS84_URI = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
MAX_CRS_FOR_MAPS = 256
"""Number of codes whose result is cached."""

POLAR_NORTHING_FIRST = {
    (("south", 180.0), ("south", 90.0)),  # EPSG:32661; EPSG:5041 has the opposite order
    (("north", 0.0), ("north", 90.0)),  # EPSG:32761; EPSG:5042 and EPSG:3031 have the opposite order
    (("north", 180.0), ("north", -90.0)),  # EPSG:5482
}
"""Directions and meridians of polar axes that both point to or from a pole, with northing before easting."""


DIRECTIONS_OF_MAPS = ({"east", "north"}, {"north"}, {"south"})
"""Directions of the axes of CRSs for maps; in polar CRSs both axes point to or from the pole."""


FALSE_EASTING = "8806"
"""EPSG code of a parameter of projections."""

ROUNDING = 1e-9
"""Tolerance for coordinates, as a fraction of all longitudes: 4 cm."""


@dataclass(frozen=True, slots=True)
class LongitudeCircle:
    """All longitudes as x of a CRS in degrees or of a cylindrical projection."""

    west: float
    """Smallest x that a transform returns."""
    width: float
    """Longitudes repeat after this difference of x."""

    @property
    def east(self) -> float:
        """Greatest x that a transform returns."""
        return self.west + self.width


class HasCrs(Protocol):
    """An object with native coordinates: a layer or a place set."""

    @property
    def all_native_crs(self) -> tuple["Crs", ...]:
        """CRSs of the native coordinates."""
        ...


@dataclass(frozen=True, slots=True)
class Crs:
    """A coordinate reference system, equal if the canonical names are (comparing PROJ objects is slow)."""

    name: str
    """`EPSG:32631`, `OGC:CRS84`, or WKT if no authority has a code for it."""
    definition: CRS = field(compare=False, repr=False)

    def __reduce__(self) -> tuple[Callable[[str], "Crs"], tuple[str]]:
        """Pickle only the name: the definition takes longer than all other parts of an item."""
        return crs_of, (self.name,)

    @property
    def is_geographic(self) -> bool:
        """Whether coordinates are longitude and latitude in degrees."""
        return bool(self.definition.is_geographic)

    @property
    def longitude_circle(self) -> LongitudeCircle | None:
        """All longitudes, or `None` if x also depends on the latitude."""
        return _DEGREES if self.is_geographic else _longitude_circle_of(self)

    @property
    def epsg(self) -> int | None:
        """The EPSG code, if the name is one."""
        authority, _, code = self.name.partition(":")
        return int(code) if authority == "EPSG" else None

    @property
    def uri(self) -> str | None:
        """URI of the code (OGC 09-048r5); `None` without a code."""
        authority, _, code = self.name.partition(":")
        if self.name == "OGC:CRS84":
            return CRS84_URI
        is_code = authority.isalpha() and code.isalnum()
        return f"http://www.opengis.net/def/crs/{authority}/0/{code}" if is_code else None

    @property
    def metres_per_unit(self) -> float:
        """Length of one CRS unit; a degree counts 111319.49079327358 m (OGC 17-083r4 §6.1.1)."""
        if self.is_geographic:
            return 111319.49079327358
        return float(self.definition.axis_info[0].unit_conversion_factor) if self.definition.axis_info else 1.0


@lru_cache(maxsize=512)
def crs_of(text: str) -> Crs:
    """Return the system for an authority code, WKT, PROJ text or PROJJSON.

    `CRS:84` and `OGC:CRS84` are the same. A definition that equals one of EPSG or OGC gets its code as name.

    Raises:
        UnsupportedCrs: PROJ does not have it.
    """
    spelled = "OGC:CRS84" if text.upper() in {"CRS:84", "OGC:CRS84", "CRS84"} else text
    try:
        definition = CRS.from_user_input(spelled)
    except CRSError as error:
        raise UnsupportedCrs(f"{text[:80]!r} is not a known coordinate reference system", locator="crs") from error
    return Crs(_canonical_name(spelled, definition), definition)


def _canonical_name(spelled: str, definition: CRS) -> str:
    if spelled == "OGC:CRS84":
        return spelled
    authority = definition.to_authority(min_confidence=100)
    return f"{authority[0]}:{authority[1]}" if authority else str(definition.to_wkt())


@lru_cache(maxsize=512)
def transformer(source: Crs, target: Crs) -> Transformer:
    """Return the transform from `source` to `target`, x before y on both sides. It is thread-safe.

    Raises:
        UnsupportedCrs: PROJ has no transform.
    """
    try:
        return Transformer.from_crs(source.definition, target.definition, always_xy=True)
    except ProjError as error:
        name = f"{source.definition.name[:40]} to {target.definition.name[:40]}"
        raise UnsupportedCrs(f"there is no transform from {name}", locator="crs") from error


@lru_cache(maxsize=512)
def is_north_first(crs: Crs) -> bool:
    """Return whether the first coordinate is latitude or northing, i.e. y (WMS 1.3.0 §6.7.2, OGC 08-038r7).

    The rule is PROJ's normalisation for visualisation, the basis of all transforms (`always_xy`). Axis names are
    misleading (EPSG:2180 calls northing x), and so are directions alone if both axes point one way (polar systems).
    """
    axes = tuple((axis["direction"], _meridian(axis)) for axis in _axes(crs.definition.to_json_dict())[:2])
    directions = tuple(direction for direction, _meridian_degrees in axes)
    return directions == ("north", "east") or axes in POLAR_NORTHING_FIRST


def _axes(definition: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the axes of a PROJJSON definition, for a compound system the axes of its horizontal part."""
    if "components" in definition:
        return _axes(definition["components"][0])
    if "source_crs" in definition:
        return _axes(definition["source_crs"])
    axes: Sequence[Mapping[str, Any]] = definition["coordinate_system"]["axis"]
    return axes


def _meridian(axis: Mapping[str, Any]) -> float | None:
    """Return the meridian, in degrees, along which a polar axis points."""
    meridian = axis.get("meridian")
    if meridian is None:
        return None
    longitude = meridian["longitude"]
    return float(longitude if isinstance(longitude, int | float) else longitude["value"])


CRS84 = crs_of("OGC:CRS84")

_DEGREES = LongitudeCircle(-180.0, 360.0)


@lru_cache(maxsize=512)
def _longitude_circle_of(crs: Crs) -> LongitudeCircle | None:
    # Cylindrical projections change equal steps of longitude into equal steps of x, here on two parallels.
    longitudes = np.arange(-180.0, 180.0, 10.0)
    try:
        transform = transformer(crs, CRS84).transform
    except UnsupportedCrs:
        return None
    x, _y = transform(np.tile(longitudes, 2), np.repeat((0.0, 40.0), longitudes.size), direction="INVERSE")
    equator, parallel = np.reshape(x, (2, -1))
    step = float(np.median(np.diff(equator))) if np.isfinite(x).all() else 0.0
    if step <= 0:
        return None
    width = step * longitudes.size
    is_even = np.abs(np.remainder(np.diff(equator) - step + width / 2, width) - width / 2) < ROUNDING * width
    if not is_even.all() or np.abs(equator - parallel).max() > ROUNDING * width:
        return None
    operation = crs.definition.coordinate_operation
    parameters = [] if operation is None else [item for item in operation.params if item.code == FALSE_EASTING]
    easting = sum(float(item.value) * item.unit_conversion_factor for item in parameters)
    return LongitudeCircle(easting / crs.metres_per_unit - width / 2, width)


_crs_for_maps: dict[int, Crs | None] = {}
"""Cache by EPSG code, oldest entry first."""
_crs_for_maps_lock = Lock()


def is_crs_for_maps_known(code: int) -> bool:
    """Return whether `epsg_crs_for_maps` has the answer in its cache."""
    return code in _crs_for_maps


def epsg_crs_for_maps(code: int) -> Crs | None:
    """Return the system with an EPSG code; `None` if maps cannot be drawn in it or it does not exist.

    Maps need two axes, to the east and north or to or from a pole, and a transform. A new code takes PROJ 30 ms, some
    codes 700 ms; the last `MAX_CRS_FOR_MAPS` are cached.
    """
    with contextlib.suppress(KeyError):
        return _crs_for_maps[code]
    crs = _look_up_crs_for_maps(code)
    with _crs_for_maps_lock:
        while len(_crs_for_maps) >= MAX_CRS_FOR_MAPS:
            del _crs_for_maps[next(iter(_crs_for_maps))]
        _crs_for_maps[code] = crs
    return crs


def _look_up_crs_for_maps(code: int) -> Crs | None:
    try:
        crs = Crs(f"EPSG:{code}", CRS.from_epsg(code))
        directions = [axis.direction for axis in crs.definition.axis_info]
        if len(directions) != 2 or set(directions) not in DIRECTIONS_OF_MAPS:
            return None
        transformer(crs, CRS84)
    except (ProjError, UnsupportedCrs):
        return None
    return crs


def are_alike(first: Crs, second: Crs) -> bool:
    """Return whether points have the same x and y in both: they are equal, or WGS 84 in both axis orders."""
    return first == second or {first.name, second.name} == {"EPSG:4326", CRS84.name}
