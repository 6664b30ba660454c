"""Coordinate reference systems of sources: names for them, and checks that they belong to the Earth."""

import warnings
from collections.abc import Iterator
from functools import lru_cache

from pyproj import CRS

from chronotile.core.errors import UnsupportedCrs, UnsupportedSource
from chronotile.core.model.space.crs import CRS84, Crs, crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid

# PROJ text loses the name of a datum, as `_parameters` intends. The filter is set once for the process: threads would
# undo filters that they set for a block.
warnings.filterwarnings("ignore", "You will likely lose important projection information", UserWarning)

EARTH_RADII_M = (6_300_000.0, 6_450_000.0)
"""Semi-major axes of the Earth: all its ellipsoids, and the spheres that models use instead."""

WGS84 = "EPSG:4326"
MAX_STATED = 80
"""Characters of a definition in a message."""

ROUNDED_PX = 0.05
"""Maximum distance of a centre beyond a pole in cells, since coordinates are rounded."""


def require_on_earth(grid: NativeGrid, *, most_px: float = ROUNDED_PX) -> None:
    """Check that the centres of the cells of a geographic grid lie between the poles, with a tolerance in cells.

    Raises:
        UnsupportedSource: A centre is farther beyond a pole.
    """
    if not grid.crs.is_geographic:
        return
    corners = [(row, column) for row in (0, grid.height - 1) for column in (0, grid.width - 1)]
    farthest = max((grid.centre_of(*corner)[1] for corner in corners), key=abs)
    if abs(farthest) > 90 + most_px * grid.steps[1]:
        message = "beyond the pole; if its coordinates are of another system, set crs: for the source"
        raise UnsupportedSource(f"its latitudes reach {farthest:.6g}, {message}")


@lru_cache(maxsize=256)
def source_crs(text: str) -> Crs:
    """Return the CRS that a file or the configuration names, with its EPSG code if it has one.

    Raises:
        UnsupportedSource: PROJ does not have the CRS, or it has no longitudes and latitudes on the Earth.
    """
    try:
        crs = crs_of(text)
    except UnsupportedCrs as error:
        stated = text if len(text) <= MAX_STATED else f"{text[:MAX_STATED]} … ({len(text)} characters)"
        raise UnsupportedSource(f"its coordinate reference system is not understood: {stated!r}") from error
    ellipsoid = crs.definition.ellipsoid
    if ellipsoid is not None and not EARTH_RADII_M[0] <= ellipsoid.semi_major_metre <= EARTH_RADII_M[1]:
        raise UnsupportedSource(
            f"its coordinate reference system {crs.definition.name!r} is of a body "
            f"of radius {ellipsoid.semi_major_metre / 1000:.0f} km, not of the Earth"
        )
    if not (crs.definition.is_geographic or crs.definition.is_projected):
        raise UnsupportedSource(f"its coordinate reference system {crs.definition.name!r} is not tied to the Earth")
    coded = _replace_by_code(_remove_null_shift(crs))
    try:
        transformer(coded, CRS84)
    except UnsupportedCrs as error:
        raise UnsupportedSource(
            f"PROJ cannot transform its coordinate reference system {crs.definition.name!r} to longitude and latitude"
        ) from error
    return coded


def _remove_null_shift(crs: Crs) -> Crs:
    """The system without `TOWGS84[0,0,0,0,0,0,0]`, which has no effect and hides the name of the system."""
    operation = crs.definition.coordinate_operation
    if not crs.definition.is_bound or crs.definition.source_crs is None or operation is None or any(operation.towgs84):
        return crs
    return crs_of(crs.definition.source_crs.to_wkt())


def _replace_by_code(crs: Crs) -> Crs:
    """The system by its EPSG code if it differs only in the order of axes or in a missing name of the datum."""
    if not crs.name.startswith(("PROJCRS", "GEOGCRS")):
        return crs
    for name in _likely_codes(crs.definition):
        coded = crs_of(name)
        if _parameters(coded.definition) == _parameters(crs.definition):
            return coded
    return crs


def _likely_codes(definition: CRS) -> Iterator[str]:
    """The code that the definition contains, then the codes that PROJ suggests."""
    identifier = definition.to_json_dict().get("id")
    if identifier and identifier.get("authority") == "EPSG":
        yield f"EPSG:{identifier['code']}"
    if definition.is_geographic:
        yield WGS84
    authority = definition.to_authority(auth_name="EPSG", min_confidence=70)
    if authority is not None:
        yield ":".join(authority)


def _parameters(definition: CRS) -> dict[str, object]:
    parameters = dict(definition.to_dict())
    ellipsoid = definition.ellipsoid
    parameters.pop("datum", None)
    parameters["ellps"] = (ellipsoid.semi_major_metre, round(ellipsoid.inverse_flattening, 6)) if ellipsoid else None
    return parameters
