"""Describes a raster or outlines with the GDAL of pyogrio's wheel: `newest_gdal.py KIND ADDRESS [NAME=VALUE …]`.

The wheel has a newer GDAL than rasterio's. It has no raster functions in Python, so this calls its C functions.
"""

import ctypes
import json
import sys
from pathlib import Path

import pyogrio

RASTER, VECTOR = 0x02, 0x04
HANDLE = ctypes.c_void_p


def library() -> ctypes.CDLL:
    """Return the library of the wheel, with the types of results that are no C integers."""
    gdal = ctypes.CDLL(next(map(str, Path(pyogrio.__file__).parents[1].glob("pyogrio.libs/libgdal*"))))
    for name in ("GDALOpenEx", "GDALGetRasterBand", "GDALDatasetGetLayer", "OGR_L_GetLayerDefn", "OGR_FD_GetFieldDefn"):
        getattr(gdal, name).restype = HANDLE
    for name in ("CPLGetLastErrorMsg", "OGR_Fld_GetNameRef"):
        getattr(gdal, name).restype = ctypes.c_char_p
    for name in ("GDALGetRasterNoDataValue", "GDALGetRasterScale"):
        getattr(gdal, name).restype = ctypes.c_double
    gdal.GDALAllRegister()
    return gdal


def open_address(gdal: ctypes.CDLL, address: str, options: list[str], kinds: int) -> HANDLE:
    """Return the opened address; a failure ends the program with GDAL's message."""
    pairs = (ctypes.c_char_p * (len(options) + 1))(*(option.encode() for option in options), None)
    opened = gdal.GDALOpenEx(address.encode(), kinds, None, pairs, None)
    if not opened:
        raise SystemExit(gdal.CPLGetLastErrorMsg().decode() or "cannot be opened")
    return HANDLE(opened)


def describe_raster(address: str, options: list[str]) -> dict[str, object]:
    """Return the number of bands, the geotransform, nodata and scale of a raster."""
    gdal = library()
    opened = open_address(gdal, address, options, RASTER)
    transform = (ctypes.c_double * 6)()
    gdal.GDALGetGeoTransform(opened, transform)
    band = HANDLE(gdal.GDALGetRasterBand(opened, 1))
    return {
        "bands": gdal.GDALGetRasterCount(opened),
        "transform": list(transform),
        "nodata": gdal.GDALGetRasterNoDataValue(band, None),
        "scale": gdal.GDALGetRasterScale(band, None),
    }


def describe_outlines(address: str, options: list[str]) -> dict[str, object]:
    """Return the number of outlines of the first layer and the names of their fields."""
    gdal = library()
    layer = HANDLE(gdal.GDALDatasetGetLayer(open_address(gdal, address, options, VECTOR), 0))
    definition = HANDLE(gdal.OGR_L_GetLayerDefn(layer))
    fields = (
        HANDLE(gdal.OGR_FD_GetFieldDefn(definition, number)) for number in range(gdal.OGR_FD_GetFieldCount(definition))
    )
    return {
        "count": gdal.OGR_L_GetFeatureCount(layer, 1),
        "fields": [gdal.OGR_Fld_GetNameRef(field).decode() for field in fields],
    }


if __name__ == "__main__":
    describe = {"raster": describe_raster, "outlines": describe_outlines}[sys.argv[1]]
    print(json.dumps(describe(sys.argv[2], sys.argv[3:])))  # noqa: T201 -- the answer
