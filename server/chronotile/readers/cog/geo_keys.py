"""The georeference of a GeoTIFF from its GeoKeys (OGC 19-008r4), if an EPSG code defines the CRS."""

from functools import lru_cache

import numpy as np
import rasterio.crs
from affine import Affine
from pyproj import CRS

from chronotile.core.model.space.crs import Crs
from chronotile.core.model.types import Float64Array
from chronotile.readers.native_crs import source_crs
from chronotile.readers.tiff import Directory, UnsupportedCog

PIXEL_SCALE, TIE_POINTS, TRANSFORMATION = 33550, 33922, 34264
GEO_KEYS, GEO_DOUBLES = 34735, 34736

MODEL_TYPE, RASTER_TYPE = 1024, 1025
GEOGRAPHIC_CRS, ANGULAR_UNITS, SEMI_MAJOR_AXIS, INVERSE_FLATTENING = 2048, 2054, 2057, 2059
PROJECTED_CRS, LINEAR_UNITS, LINEAR_UNIT_SIZE = 3072, 3076, 3077
CITATIONS = {1026, 2049, 3073}
PROJECTED, GEOGRAPHIC = 1, 2
PIXEL_IS_POINT = 2
USER_DEFINED = 32767
METRE, DEGREE = 9001, 9102

_PROJECTED_KEYS = {PROJECTED_CRS, LINEAR_UNITS, ANGULAR_UNITS, GEOGRAPHIC_CRS}
_GEOGRAPHIC_KEYS = {GEOGRAPHIC_CRS, ANGULAR_UNITS, SEMI_MAJOR_AXIS, INVERSE_FLATTENING, LINEAR_UNITS, LINEAR_UNIT_SIZE}
_COMMON_KEYS = {MODEL_TYPE, RASTER_TYPE, *CITATIONS}

GeoKey = int | float | None
"""A number; `None` stands for a text."""


def georeference(directory: Directory) -> tuple[int, Affine]:
    """Return the EPSG code of the CRS of a file, and its transform.

    Raises:
        UnsupportedCog: It has no code, or more than a code that changes it, or no transform of this kind.
    """
    keys = _geo_keys(directory)
    return _epsg_code(keys), _transform(directory, is_point=keys.get(RASTER_TYPE) == PIXEL_IS_POINT)


@lru_cache(maxsize=512)
def crs_of_code(code: int) -> Crs:
    """Return the CRS of a code, as if a file with it was opened with GDAL."""
    return source_crs(rasterio.crs.CRS.from_epsg(code).to_wkt())


def _geo_keys(directory: Directory) -> dict[int, GeoKey]:
    table = directory.numbers(GEO_KEYS).astype(np.int64)
    if table.size < 4 or table.size < 4 * (1 + table[3]):
        raise UnsupportedCog("it has no GeoKeys, or they are damaged")
    doubles = directory.numbers(GEO_DOUBLES)
    keys: dict[int, GeoKey] = {}
    for key, where, _count, value in table[4 : 4 * (1 + table[3])].reshape(-1, 4).tolist():
        if where == 0:
            keys[key] = value
        elif where == GEO_DOUBLES and value < doubles.size:
            keys[key] = float(doubles[value])
        else:
            keys[key] = None
    return keys


def _epsg_code(keys: dict[int, GeoKey]) -> int:
    model = keys.get(MODEL_TYPE)
    code, code_keys = {
        PROJECTED: (keys.get(PROJECTED_CRS), _PROJECTED_KEYS),
        GEOGRAPHIC: (keys.get(GEOGRAPHIC_CRS), _GEOGRAPHIC_KEYS),
    }.get(int(model or 0), (None, set[int]()))
    if not isinstance(code, int) or code in {0, USER_DEFINED}:
        raise UnsupportedCog("its coordinate reference system is not one of EPSG's codes")
    if keys.keys() - code_keys - _COMMON_KEYS or not _repeats_code(keys, code):
        raise UnsupportedCog(f"its GeoKeys have more than the code {code} of its coordinate reference system")
    return code


def _repeats_code(keys: dict[int, GeoKey], code: int) -> bool:
    """Return whether the other keys only repeat the definition of the code."""
    definition = _known_code(code)
    if definition is None:
        return False
    is_geographic, geographic_code, axes = definition
    if is_geographic != (keys[MODEL_TYPE] == GEOGRAPHIC):
        return False
    if not is_geographic:
        return keys.get(LINEAR_UNITS, METRE) == METRE and keys.get(GEOGRAPHIC_CRS, geographic_code) == geographic_code
    ellipsoid = keys.get(SEMI_MAJOR_AXIS, axes[0]), keys.get(INVERSE_FLATTENING, axes[1])
    is_same = all(
        isinstance(one, float) and abs(one - other) < 1e-6 for one, other in zip(ellipsoid, axes, strict=True)
    )
    return is_same and keys.get(ANGULAR_UNITS, DEGREE) == DEGREE


@lru_cache(maxsize=512)
def _known_code(code: int) -> tuple[bool, int | None, tuple[float, float]] | None:
    """Return whether a code is geographic, the code of its geographic CRS, and its ellipsoid; `None` if unsupported.

    GDAL replaces deprecated codes, and treats lengths in other units than metres specially.
    """
    try:
        crs = CRS.from_epsg(code)
    except Exception:  # noqa: BLE001 -- PROJ's errors have no common class
        return None
    unit = 1.0 if crs.is_projected else np.pi / 180
    is_plain = len(crs.axis_info) == 2 and all(
        abs(axis.unit_conversion_factor - unit) < 1e-12 for axis in crs.axis_info
    )
    # GDAL replaces geographic codes with longitude first: 7084 becomes 4171.
    is_plain &= crs.is_projected or crs.axis_info[0].direction == "north"
    if crs.is_deprecated or not is_plain or crs.ellipsoid is None or not (crs.is_projected or crs.is_geographic):
        return None
    geodetic = crs.geodetic_crs
    return (
        bool(crs.is_geographic),
        None if geodetic is None else geodetic.to_epsg(),
        (crs.ellipsoid.semi_major_metre, crs.ellipsoid.inverse_flattening),
    )


def _transform(directory: Directory, *, is_point: bool) -> Affine:
    """Return the transform of pixel corners, computed in GDAL's order so that every bit is equal."""
    scale, ties = directory.numbers(PIXEL_SCALE), directory.numbers(TIE_POINTS)
    if scale.size >= 2 and scale[0] and scale[1]:
        if ties.size != 6 or scale[1] < 0:
            raise UnsupportedCog("its tie points or pixel sizes are of an unusual kind")
        return _transform_of_scale(scale, ties, is_point=is_point)
    matrix = directory.numbers(TRANSFORMATION)
    if ties.size or matrix.size != 16:
        raise UnsupportedCog("it has no transform")
    c, f = float(matrix[3]), float(matrix[7])
    a, b, d, e = (float(matrix[place]) for place in (0, 1, 4, 5))
    if is_point:
        c -= a * 0.5 + b * 0.5
        f -= d * 0.5 + e * 0.5
    return _usable(Affine(a, b, c, d, e, f))


def _transform_of_scale(scale: Float64Array, ties: Float64Array, *, is_point: bool) -> Affine:
    a, e = float(scale[0]), -float(scale[1])
    c, f = float(ties[3]) - float(ties[0]) * a, float(ties[4]) - float(ties[1]) * e
    if is_point:
        c -= a * 0.5 + 0.0
        f -= 0.0 + e * 0.5
    return _usable(Affine(a, 0.0, c, 0.0, e, f))


def _usable(transform: Affine) -> Affine:
    if transform.is_degenerate or transform == Affine.identity() or not all(map(np.isfinite, transform)):
        raise UnsupportedCog("its transform is not valid, or cannot be inverted")
    return transform
