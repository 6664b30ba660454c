"""Made products of Sentinel-2 in the form of EOPF's processors, and GeoZarr stores from them."""

import numpy as np
import zarr

CODE = 32631
WEST, NORTH = 600_000, 5_700_000
SIDE_M = 960
"""Side of a product's area: 96 cells of 10 m."""
RESOLUTIONS = {"r10m": 10, "r20m": 20, "r60m": 60}
BANDS = {"r10m": ("b02", "b04", "b08"), "r20m": ("b02", "b04", "b05", "b11"), "r60m": ("b01", "b02", "b04", "b05")}
DISCOVERY = {
    "type": "Feature",
    "id": "S2A_MSIL2A_20250415T094041_N0511_R036_T31UFS",
    "properties": {"datetime": "2025-04-15T09:40:41.024000Z", "start_datetime": "2025-04-15T09:40:41.024000Z",
                   "end_datetime": "2025-04-15T09:40:41.024000Z"},
}  # fmt: skip
SCL_NAMES = ["no_data", "saturated", "dark", "cloud_shadow", "vegetation", "bare soil", "water"]


def numbers_of(band, resolution):
    """Digital numbers (y, x) of a band, which differ by band, row and column; the first is no value."""
    count = SIDE_M // resolution
    rows, columns = np.mgrid[0:count, 0:count]
    numbers = (int(band[1:3]) * 1000 + 7 * (rows * resolution // 10) + 3 * (columns * resolution // 10)).astype("u2")
    numbers[0, 0] = 0
    return numbers


def classes_of(resolution):
    """Scene classes (y, x)."""
    count = SIDE_M // resolution
    rows, columns = np.mgrid[0:count, 0:count]
    return ((rows + columns) % len(SCL_NAMES)).astype("u1")


def write_product(path, *, version=2):
    """Write a product as version 2.5 of the processors (Zarr v2, `proj:` of arrays) or 3.0 (Zarr v3, the system at the
    root alone) does."""
    other = {"horizontal_CRS_code": f"EPSG:{CODE}"} if version == 2 else {"utm_zone_identification": "UTM zone 31N"}
    root = zarr.create_group(
        path, zarr_format=version, attributes={"stac_discovery": DISCOVERY, "other_metadata": other}
    )
    for group, bands in BANDS.items():
        below = root.require_group(f"measurements/reflectance/{group}")
        for band in bands:
            numbers = numbers_of(band, RESOLUTIONS[group])
            _write(below, band, numbers, _reflectance(band, numbers.shape, RESOLUTIONS[group], version))
        _write_coordinates(below, RESOLUTIONS[group], version)
    for group in ("r20m", "r60m"):
        below = root.require_group(f"conditions/mask/l2a_classification/{group}")
        flags = {"flag_values": list(range(len(SCL_NAMES))), "flag_meanings": SCL_NAMES, "long_name": "scene classes"}
        _write(below, "scl", classes_of(RESOLUTIONS[group]), {**flags, "fill_value": 0})
        _write_coordinates(below, RESOLUTIONS[group], version)
    detectors = root.require_group("conditions/mask/detector_footprint/r10m")
    _write(detectors, "b02", classes_of(10), {"long_name": "detector"})
    _write_coordinates(detectors, 10, version)
    angles = root.require_group("conditions/geometry")
    angles.create_array("sun_angles", data=np.zeros((2, 5, 5)), chunks=(2, 5, 5), **_dims(angles, "angle", "y", "x"))
    return path


def write_geozarr(path):
    """Write a store with overviews of all bands, and attributes that the source had at another resolution."""
    root = zarr.create_group(path, zarr_format=3)
    parent = root.require_group("measurements/reflectance")
    layout = [{"asset": name} for name in (*RESOLUTIONS, "r120m")]
    parent.attrs.update({"multiscales": {"layout": layout}, "proj:code": f"EPSG:{CODE}"})
    for group, resolution in {**RESOLUTIONS, "r120m": 120}.items():
        below = parent.create_group(group, attributes={"proj:code": f"EPSG:{CODE}", "grid_mapping": "spatial_ref"})
        bands = ("b02", "b08") if group == "r10m" else ("b02", "b08", "b11")
        for band in bands:
            numbers = numbers_of(band, resolution)
            values = np.where(numbers == 0, np.nan, numbers * 0.0001 - 0.1).astype("f4")
            native = 20 if band == "b11" else 10
            stale = _proj(native, (SIDE_M // native,) * 2)
            _write(below, band, values, {**stale, "_FillValue": "NaN", "units": "1"})
        _write_coordinates(below, resolution, 3)
    return path


def _reflectance(band, shape, resolution, version):
    attrs = {
        "add_offset": -0.1, "scale_factor": 0.0001, "fill_value": 0, "units": "digital_counts", "dtype": "<u2",
        "long_name": f"BOA reflectance {band}", "valid_min": 1, "valid_max": 65535,
    }  # fmt: skip
    if version == 3:
        return attrs
    return {"_eopf_attrs": attrs, "long_name": attrs["long_name"], **_proj(resolution, shape)}


def _proj(resolution, shape):
    transform = [resolution, 0, WEST, 0, -resolution, NORTH, 0, 0, 1]
    return {"proj:epsg": CODE, "proj:shape": list(shape), "proj:transform": transform}


def _write(group, name, numbers, attrs):
    array = group.create_array(name, data=numbers, chunks=(32, 32), **_dims(group, "y", "x"))
    array.attrs.update(attrs)


def _write_coordinates(group, resolution, version):
    centres = (np.arange(SIDE_M // resolution) + 0.5) * resolution
    dtype = "i8" if version == 2 else "f4"
    for name, values in (("x", WEST + centres), ("y", NORTH - centres)):
        array = group.create_array(name, data=values.astype(dtype), chunks=values.shape, **_dims(group, name))
        array.attrs["units"] = "m"


def _dims(group, *names):
    """Names of dimensions, which version 2 has as an attribute."""
    if group.metadata.zarr_format == 3:
        return {"dimension_names": names}
    return {"attributes": {"_ARRAY_DIMENSIONS": list(names)}}
