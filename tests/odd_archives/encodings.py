"""Encodings: scale, offset, type, and numbers without a value."""

from collections.abc import Mapping

import numpy as np
import xarray

from tests.odd_archives.files import HEIGHT, NUMBERS, WIDTH, Maker, beside_good, cube, netcdf, tifs, unlike

THREE = np.stack([NUMBERS, NUMBERS + 1, NUMBERS + 2])
LEAST = float(np.finfo("f4").min)


def _with_fill(value: float) -> xarray.Dataset:
    dataset = cube()
    dataset["NDVI"][0, 0, :] = value
    return dataset


def _unsigned() -> xarray.Dataset:
    dataset = cube(dtype="int8")
    dataset["NDVI"].attrs |= {"_Unsigned": "true", "_FillValue": np.int8(-1)}
    return dataset


def _packed(scale: float, offset: float, dtype: str = "int16") -> Mapping[str, object]:
    return {"dtype": dtype, "scale_factor": scale, "add_offset": offset}


MAKERS: Mapping[str, Maker] = {
    "scale of each file": unlike({"scales": (0.1,), "dtype": "int16"}, {"scales": (0.01,), "dtype": "int16"}),
    "offset of each file": unlike({"offsets": (0.0,)}, {"offsets": (-40.0,)}),
    "scale of each band": tifs(numbers=THREE, dtype="uint8", scales=(1.0, 0.5, 0.1), descriptions=("R", "G", "B")),
    "nodata of each file": unlike({"nodata": 0}, {"nodata": 255}, {"nodata": float("nan")}),
    "nodata NaN": tifs(nodata=float("nan")),
    "nodata infinite": tifs(nodata=float("inf")),
    "nodata 1e20": tifs(nodata=1e20),
    "nodata least of float32": tifs(nodata=LEAST),
    "nodata 1e308": tifs(dtype="float64", nodata=1e308),
    "nodata outside of its type": tifs(dtype="int16", nodata=-32768),
    "int64 beyond 2**53": tifs(numbers=NUMBERS + 2**53, dtype="int64"),
    "uint64": tifs(numbers=NUMBERS.astype("uint64") + np.uint64(2**64 - 500), dtype="uint64"),
    "int8": tifs(dtype="int8", nodata=-128),
    "scale 0": beside_good(tifs(dtype="int16", scales=(0.0,))),
    "scale 1e308": beside_good(tifs(dtype="int16", scales=(1e308,))),
    "no value anywhere": tifs(numbers=np.full((HEIGHT, WIDTH), LEAST)),
    "one value everywhere": tifs(numbers=np.full((HEIGHT, WIDTH), 7.0)),
    "values of 1e30": tifs(numbers=np.full((HEIGHT, WIDTH), 1e30)),
    "infinite values": tifs(numbers=np.where(NUMBERS % 5 == 0, np.inf, NUMBERS)),
    "one bit": tifs(numbers=NUMBERS % 2, dtype="uint8", nbits=1),
    "complex numbers": beside_good(tifs(dtype="complex64")),
    "odd units": tifs(units=('°C <&> "%"',)),
    "packed coordinates": netcdf(cube, lat=_packed(0.01, 0.0), lon=_packed(0.01, 0.0)),
    "offset of a coordinate": netcdf(cube, lat=_packed(1.0, 40.0, "float32")),
    "fill 1e20": netcdf(lambda: _with_fill(1e20), NDVI={"_FillValue": np.float32(1e20)}),
    "fill that is the default of NetCDF": netcdf(lambda: _with_fill(9.969209968386869e36), NDVI={"_FillValue": None}),
    "valid range": netcdf(lambda: cube(valid_range=np.array([10, 90], "f4"))),
    "missing_value of two": netcdf(lambda: cube(missing_value=np.array([3, 5], "f4"))),
    "unsigned": netcdf(_unsigned),
}
