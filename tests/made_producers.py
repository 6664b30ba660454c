"""Small HDF5 files after the specifications of their producers: HDF-EOS5, PROBA-V, NISAR and ODIM."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyproj

VNP13_DATA = "HDFEOS/GRIDS/VIIRS_Grid_16Day_VI_500m/Data Fields"
TILE_M = 1111950.519667
"""Side of a tile of the sinusoidal grid of MODIS."""
RADIUS_M = 6371007.181


@dataclass(frozen=True)
class Truth:
    """An array of a made file, with positions and values by the specification of its product."""

    group: str
    name: str
    crs: str
    x_edge: float
    top: float
    x_step: float
    y_step: float
    numbers: np.ndarray
    values: np.ndarray
    """float64; NaN without a value."""

    def points(self, count: int, seed: int = 7) -> tuple[np.ndarray, ...]:
        """Return rows, columns, longitudes and latitudes of random cells."""
        rng = np.random.default_rng(seed)
        rows, columns = (rng.integers(0, length, count) for length in self.numbers.shape)
        x, y = self.x_edge + (columns + 0.5) * self.x_step, self.top + (rows + 0.5) * self.y_step
        return rows, columns, *pyproj.Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True).transform(x, y)


def struct_metadata(entries: Mapping[str, object], fields: Mapping[str, str]) -> str:
    """Return the text of one grid as the HDF-EOS library writes it."""
    lines = ["GROUP=SwathStructure", "END_GROUP=SwathStructure", "GROUP=GridStructure", "\tGROUP=GRID_1"]
    lines += [f"\t\t{key}={value}" for key, value in entries.items()]
    lines += ["\t\tGROUP=Dimension", "\t\tEND_GROUP=Dimension", "\t\tGROUP=DataField"]
    for number, (name, dims) in enumerate(fields.items(), 1):
        lines += [
            f"\t\t\tOBJECT=DataField_{number}", f'\t\t\t\tDataFieldName="{name}"', "\t\t\t\tDataType=H5T_NATIVE_SHORT",
            f"\t\t\t\tDimList=({dims})", f"\t\t\tEND_OBJECT=DataField_{number}",
        ]  # fmt: skip
    lines += ["\t\tEND_GROUP=DataField", "\t\tGROUP=MergedFields", "\t\tEND_GROUP=MergedFields", "\tEND_GROUP=GRID_1"]
    lines += ["END_GROUP=GridStructure", "GROUP=PointStructure", "END_GROUP=PointStructure", "END", ""]
    return "\n".join(lines)


def write_struct(file: h5py.File, text: str, *, part_size: int = 32_000) -> None:
    """Write the text in parts of fixed length, padded with NUL."""
    for number, start in enumerate(range(0, len(text), part_size)):
        part = np.bytes_(text[start : start + part_size])
        file.create_dataset(f"HDFEOS INFORMATION/StructMetadata.{number}", data=part, dtype=f"S{part_size}")
    file["HDFEOS INFORMATION"].attrs["HDFEOSVersion"] = "HDFEOS_5.1.17"


def vnp13_entries(tile: tuple[int, int], size: int) -> dict[str, object]:
    """Return the entries of the grid of a tile `hHHvVV`."""
    x_edge, top = (tile[0] - 18) * TILE_M, (9 - tile[1]) * TILE_M
    return {
        "GridName": '"VIIRS_Grid_16Day_VI_500m"',
        "XDim": size,
        "YDim": size,
        "UpperLeftPointMtrs": f"({x_edge:.6f},{top:.6f})",
        "LowerRightMtrs": f"({x_edge + TILE_M:.6f},{top - TILE_M:.6f})",
        "Projection": "HE5_GCTP_SNSOID",
        "ProjParams": f"({RADIUS_M:.6f},0,0,0,0,0,0,0,0,0,0,0,0)",
        "SphereCode": -1,
        "GridOrigin": "HE5_HDFE_GD_UL",
    }


def write_vnp13(path: Path, *, tile: tuple[int, int] = (18, 3), size: int = 120, part_size: int = 32_000) -> Truth:
    """Write a tile of VNP13A1 (file specification 1.0.9): int16, fill -15000, scale factor 10000 that divides."""
    name = "500 m 16 days NDVI"
    rng = np.random.default_rng(tile[0] * 100 + tile[1])
    numbers = rng.integers(-10_000, 10_001, (size, size)).astype("i2")
    numbers[rng.random(numbers.shape) < 0.1] = -15_000
    quality = rng.integers(0, 4, (size, size)).astype("i1")
    fields = {name: '"YDim","XDim"', "500 m 16 days pixel reliability": '"YDim","XDim"'}
    with h5py.File(path, "w") as file:
        text = struct_metadata(vnp13_entries(tile, size), fields)
        write_struct(file, text, part_size=part_size)
        ndvi = file.create_dataset(
            f"{VNP13_DATA}/{name}", data=numbers, chunks=(min(size, 40),) * 2, compression="gzip"
        )
        ndvi.attrs.update(
            _FillValue=np.array([-15_000], "i2"), valid_range=np.array([-10_000, 10_000], "i2"), long_name=name,
            scale_factor=np.array([10_000.0]), add_offset=np.array([0.0]), units="NDVI",
        )  # fmt: skip
        file[f"{VNP13_DATA}/500 m 16 days pixel reliability"] = quality
        file.attrs.update(
            ShortName="VNP13A1", RangeBeginningDate="2020-01-01", RangeBeginningTime="00:00:00.000",
            RangeEndingDate="2020-01-16", RangeEndingTime="23:59:59.000",
        )  # fmt: skip
    crs = f"+proj=sinu +R={RADIUS_M} +units=m"
    values = np.where(numbers == -15_000, np.nan, numbers / 10_000)
    x_edge, top, step = (tile[0] - 18) * TILE_M, (9 - tile[1]) * TILE_M, TILE_M / size
    return Truth(VNP13_DATA, name, crs, x_edge, top, step, -step, numbers, values)


def write_probav(path: Path, *, shape: tuple[int, int] = (112, 112)) -> dict[str, Truth]:
    """Write a tile of a PROBA-V synthesis of collection 0 at 1 km: step 1/112 degree, positions of pixel centres."""
    rng = np.random.default_rng(3)
    step, west, north = 1 / 112, 0.0, 55.0
    mapping = ["Geographic Lat/Lon", "0.5", "0.5", repr(west), repr(north), repr(step), repr(step), "WGS84", "Degrees"]
    arrays = {
        "LEVEL3/NDVI/NDVI": (rng.integers(0, 256, shape).astype("u1"), 250.0, 20.0, 255),
        "LEVEL3/RADIOMETRY/RED/TOC": (rng.integers(-1, 2000, shape).astype("i2"), 2000.0, 0.0, -1),
        "LEVEL3/QUALITY/SM": (rng.integers(0, 256, shape).astype("u1"), 1.0, 0.0, None),
    }
    truths = {}
    with h5py.File(path, "w") as file:
        for full_name, (numbers, scale, offset, nodata) in arrays.items():
            array = file.create_dataset(full_name, data=numbers, chunks=(56, 56), compression="gzip")
            array.attrs["MAPPING"] = np.array(mapping, dtype="S32")
            array.attrs.update(SCALE=np.float32(scale), OFFSET=np.float32(offset), UNITS="-", DESCRIPTION=full_name)
            values = (numbers - offset) / scale
            if nodata is not None:
                array.attrs["NO_DATA"] = np.float32(nodata)
                values = np.where(numbers == nodata, np.nan, values)
            group, _slash, name = full_name.rpartition("/")
            edges = (west - step / 2, north + step / 2)
            truths[full_name] = Truth(group, name, "EPSG:4326", *edges, step, -step, numbers, values)
        file.attrs.update(
            PRODUCT="PROBAV_S1_TOC", OBSERVATION_START_DATE="2020-01-03", OBSERVATION_START_TIME="00:00:00",
            OBSERVATION_END_DATE="2020-01-03", OBSERVATION_END_TIME="23:59:59",
        )  # fmt: skip
    return truths


def write_odim(path: Path, *, quantity: str = "DBZH", **where: Any) -> Truth:
    """Write a composite of ODIM_H5 2.3; `where` replaces attributes of that group."""
    rng = np.random.default_rng(5)
    height, width, scale = 90, 80, 2000.0
    numbers = rng.integers(0, 256, (height, width)).astype("u1")
    crs = "+proj=laea +lat_0=55 +lon_0=10 +x_0=1950000 +y_0=-2100000 +ellps=WGS84 +units=m"
    x_edge, top = 1_500_000.0, -2_500_000.0
    to_degrees = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform
    corners = {"UL": (x_edge, top), "UR": (x_edge + width * scale, top), "LL": (x_edge, top - height * scale)}
    corners["LR"] = x_edge + width * scale, top - height * scale
    gain, offset, nodata, undetect = 0.5, -32.0, 255.0, 0.0
    if quantity == "ACRR":
        offset = 0.0
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = np.bytes_("ODIM_H5/V2_3")
        what = {"object": "COMP", "version": "H5rad 2.3", "date": "20200103", "time": "121500", "source": "ORG:247"}
        file.create_group("what").attrs.update({key: np.bytes_(text) for key, text in what.items()})
        places = {f"{name}_{axis}": place for name, xy in corners.items() for axis, place in
                  zip(("lon", "lat"), to_degrees(*xy), strict=True)}  # fmt: skip
        stated = {"projdef": np.bytes_(crs), "xsize": width, "ysize": height, "xscale": scale, "yscale": scale}
        file.create_group("where").attrs.update({**stated, **places, **where})
        file["dataset1/data1/data"] = numbers
        file.create_group("dataset1/what").attrs.update(product=np.bytes_("MAX"))
        file.create_group("dataset1/data1/what").attrs.update(
            quantity=np.bytes_(quantity), gain=gain, offset=offset, nodata=nodata, undetect=undetect
        )
    values = np.where(numbers == nodata, np.nan, numbers * gain + offset)
    if quantity != "ACRR":
        values = np.where(numbers == undetect, np.nan, values)
    return Truth("dataset1/data1", "data", crs, x_edge, top, scale, -scale, numbers, values)


def write_nisar(path: Path) -> Truth:
    """Write a frequency of a gridded covariance product of NISAR (GCOV)."""
    rng = np.random.default_rng(9)
    group, shape, step, x_edge, top = "science/LSAR/GCOV/grids/frequencyA", (70, 60), 20.0, 600_000.0, 5_700_000.0
    numbers = rng.random(shape).astype("f4")
    numbers[rng.random(shape) < 0.1] = np.nan
    with h5py.File(path, "w") as file:
        axes = {
            "yCoordinates": (top - step * (np.arange(shape[0]) + 0.5), "projection_y_coordinate"),
            "xCoordinates": (x_edge + step * (np.arange(shape[1]) + 0.5), "projection_x_coordinate"),
        }
        array = file.create_dataset(f"{group}/HHHH", data=numbers, chunks=(35, 30))
        array.attrs.update(grid_mapping=np.bytes_("projection"), units=np.bytes_("1"))
        for axis, (name, (values, standard_name)) in enumerate(axes.items()):
            scale = file.create_dataset(f"{group}/{name}", data=values)
            scale.attrs.update(standard_name=np.bytes_(standard_name), units=np.bytes_("meters"))
            scale.make_scale(name)
            array.dims[axis].attach_scale(scale)
        file[f"{group}/projection"] = np.uint32(32631)
        wkt = pyproj.CRS("EPSG:32631").to_wkt("WKT1_GDAL")
        file[f"{group}/projection"].attrs.update(
            epsg_code=np.int32(32631), spatial_ref=np.bytes_(wkt), ellipsoid=np.bytes_("WGS84"),
            grid_mapping_name=np.bytes_("universal_transverse_mercator"),
        )  # fmt: skip
        file["science/LSAR/identification/zeroDopplerStartTime"] = np.bytes_("2026-01-03T10:00:00.000000000")
    return Truth(group, "HHHH", "EPSG:32631", x_edge, top, step, -step, numbers, numbers.astype("f8"))
