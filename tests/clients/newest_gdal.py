"""Describes a raster with the GDAL of pyogrio's wheel: `newest_gdal.py ADDRESS [NAME=VALUE …]` prints JSON.

The wheel has newer GDAL than rasterio's and no raster functions in Python, so this calls its C functions.
"""

import ctypes
import json
import sys
from pathlib import Path

import pyogrio

RASTER, VERBOSE = 0x02, 0x40
HANDLE = ctypes.c_void_p


def library() -> ctypes.CDLL:
    """Return the library of the wheel, with the types of the functions that take or return pointers and numbers."""
    gdal = ctypes.CDLL(next(map(str, Path(pyogrio.__file__).parents[1].glob("pyogrio.libs/libgdal*"))))
    for name in ("GDALOpenEx", "GDALGetRasterBand", "GDALGetDatasetDriver"):
        getattr(gdal, name).restype = HANDLE
    for name in ("CPLGetLastErrorMsg", "GDALGetDriverShortName", "GDALGetProjectionRef"):
        getattr(gdal, name).restype = ctypes.c_char_p
    for name in ("GDALGetRasterNoDataValue", "GDALGetRasterScale", "GDALGetRasterOffset"):
        getattr(gdal, name).restype = ctypes.c_double
    return gdal


def describe(address: str, options: list[str]) -> dict[str, object]:
    """Return the driver, size, number of bands, geotransform, nodata, scale and offset of a raster."""
    gdal = library()
    gdal.GDALAllRegister()
    pairs = (ctypes.c_char_p * (len(options) + 1))(*(option.encode() for option in options), None)
    opened = HANDLE(gdal.GDALOpenEx(address.encode(), RASTER | VERBOSE, None, pairs, None))
    if not opened:
        raise SystemExit(gdal.CPLGetLastErrorMsg().decode() or "cannot be opened")
    transform = (ctypes.c_double * 6)()
    gdal.GDALGetGeoTransform(opened, transform)
    band = HANDLE(gdal.GDALGetRasterBand(opened, 1))
    return {
        "driver": gdal.GDALGetDriverShortName(HANDLE(gdal.GDALGetDatasetDriver(opened))).decode(),
        "size": [gdal.GDALGetRasterXSize(opened), gdal.GDALGetRasterYSize(opened)],
        "bands": gdal.GDALGetRasterCount(opened),
        "geoTransform": list(transform),
        "wkt": (gdal.GDALGetProjectionRef(opened) or b"").decode(),
        "nodata": gdal.GDALGetRasterNoDataValue(band, None),
        "scale": gdal.GDALGetRasterScale(band, None),
        "offset": gdal.GDALGetRasterOffset(band, None),
    }


if __name__ == "__main__":
    print(json.dumps(describe(sys.argv[1], sys.argv[2:])))
