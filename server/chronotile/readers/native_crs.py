"""Coordinate reference systems of sources: found, named, and of this planet."""

import warnings

from pyproj import CRS

from chronotile.errors import UnsupportedCrs, UnsupportedSource
from chronotile.model.crs import Crs, crs_of

EARTH_RADII_M = (6_300_000.0, 6_450_000.0)
"""Semi-major axes that are of the Earth: all its ellipsoids and the spheres that models put in their place."""


def source_crs(text: str) -> Crs:
    """Return the system that a file or the configuration names.

    Raises:
        UnsupportedSource: PROJ does not know it, or it is of another celestial body.
    """
    try:
        crs = crs_of(text)
    except UnsupportedCrs as error:
        raise UnsupportedSource(f"its coordinate reference system is not understood: {text[:80]!r}") from error
    ellipsoid = crs.definition.ellipsoid
    if ellipsoid is not None and not EARTH_RADII_M[0] <= ellipsoid.semi_major_metre <= EARTH_RADII_M[1]:
        raise UnsupportedSource(
            f"its coordinate reference system {crs.definition.name!r} is of a body "
            f"of radius {ellipsoid.semi_major_metre / 1000:.0f} km, not of the Earth"
        )
    if not (crs.definition.is_geographic or crs.definition.is_projected):
        raise UnsupportedSource(f"its coordinate reference system {crs.definition.name!r} is not tied to the Earth")
    return _under_code(crs)


def _under_code(crs: Crs) -> Crs:
    """The system under EPSG's code where all that differs is that the file leaves the datum's name out."""
    if crs.epsg is not None or not crs.name.startswith(("PROJCRS", "GEOGCRS")):
        return crs
    authority = crs.definition.to_authority(auth_name="EPSG", min_confidence=70)
    if authority is None:
        return crs
    coded = crs_of(":".join(authority))
    return coded if _parameters(coded.definition) == _parameters(crs.definition) else crs


def _parameters(definition: CRS) -> dict[str, object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PROJ text loses the datum's name, which is what is wanted here
        parameters = dict(definition.to_dict())
    ellipsoid = definition.ellipsoid
    parameters.pop("datum", None)
    parameters["ellps"] = (ellipsoid.semi_major_metre, round(ellipsoid.inverse_flattening, 6)) if ellipsoid else None
    return parameters
