"""Random georeferencing: spelling of the CRS, kind of file, level with the statement, form of the grid, contradictions.

`member_of(seed)` draws one of some ten thousand. The value of the cell (row, column) is `COLUMNS * row + column`; its
longitude and latitude are those of pyproj.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray
import zarr
from pyproj import CRS, Transformer

ROWS, COLUMNS = 12, 16
VALUES = np.arange(ROWS * COLUMNS, dtype="float32").reshape(ROWS, COLUMNS)
CELLS = ((1, 2), (6, 9), (10, 13))
"""Rows and columns that are compared."""
Outcome = Literal["served", "warned", "refused"]

POLE = {
    "grid_mapping_name": "rotated_latitude_longitude",
    "grid_north_pole_latitude": 39.25,
    "grid_north_pole_longitude": -162.0,
    "earth_radius": 6371229.0,
}


@dataclass(frozen=True)
class Frame:
    """A CRS with coordinates as files have them."""

    crs: CRS
    cf: Mapping[str, Any]
    y: np.ndarray
    x: np.ndarray
    names: tuple[str, str] = ("y", "x")
    standard_names: tuple[str, str] = ("projection_y_coordinate", "projection_x_coordinate")
    units: tuple[str, str] = ("m", "m")
    factor: float = 1.0
    """Number of units of the CRS in one unit of the coordinates."""


def _frame(code: int, y: float, x: float, step: float, *, units: str = "m", factor: float = 1.0) -> Frame:
    rows, columns = y - step * np.arange(ROWS), x + step * np.arange(COLUMNS)
    return Frame(
        CRS.from_epsg(code),
        CRS.from_epsg(code).to_cf(),
        rows / factor,
        columns / factor,
        units=(units,) * 2,
        factor=factor,
    )


FRAMES: Mapping[str, Frame] = {
    "latitudes": Frame(
        CRS.from_epsg(4326), CRS.from_epsg(4326).to_cf(), 50 - 0.1 * np.arange(ROWS), 4 + 0.1 * np.arange(COLUMNS),
        ("lat", "lon"), ("latitude", "longitude"), ("degrees_north", "degrees_east"),
    ),
    "rotated": Frame(
        CRS.from_cf(POLE), POLE, -5 + 0.44 * np.arange(ROWS), -10 + 0.44 * np.arange(COLUMNS),
        ("rlat", "rlon"), ("grid_latitude", "grid_longitude"), ("degrees", "degrees"),
    ),
    "metres": _frame(3035, 3_000_000, 4_000_000, 1000),
    "kilometres": _frame(3035, 3_000_000, 4_000_000, 5000, units="km", factor=1000),
    "zone": _frame(32631, 5_600_000, 500_000, 100),
    "feet": _frame(2263, 200_000, 980_000, 500, units="US_survey_foot"),
    "south up": _frame(3035, 2_500_000, 4_100_000, -2000),
}  # fmt: skip


def _code_of(frame: Frame) -> int | None:
    return frame.crs.to_epsg()


SPELLINGS: Mapping[str, Callable[[Frame], Mapping[str, Any]]] = {
    "CF": lambda frame: {key: value for key, value in frame.cf.items() if key != "crs_wkt"},
    "CF and crs_wkt": lambda frame: {**frame.cf, "crs_wkt": frame.crs.to_wkt()},
    "crs_wkt": lambda frame: {"crs_wkt": frame.crs.to_wkt()},
    "spatial_ref": lambda frame: {"spatial_ref": frame.crs.to_wkt()},
    "projjson": lambda frame: {"projjson": frame.crs.to_json()},
    "_CRS wkt": lambda frame: {"_CRS": json.dumps({"wkt": frame.crs.to_wkt()})},
    "_CRS projjson": lambda frame: {"_CRS": json.dumps({"projjson": frame.crs.to_json_dict()})},
    "proj:wkt2": lambda frame: {"proj:wkt2": frame.crs.to_wkt()},
    "proj:projjson": lambda frame: {"proj:projjson": frame.crs.to_json()},
}
OF_CODES: Mapping[str, Callable[[Frame], Mapping[str, Any]]] = {
    "proj4": lambda frame: {"proj4": f"+init=epsg:{_code_of(frame)}"},
    "epsg_code": lambda frame: {"epsg_code": f"EPSG:{_code_of(frame)}"},
    "EPSG": lambda frame: {"EPSG": _code_of(frame)},
    "esri_pe_string": lambda frame: {"esri_pe_string": frame.crs.to_wkt("WKT1_ESRI")},
    "_CRS url": lambda frame: {"_CRS": json.dumps({"url": f"http://www.opengis.net/def/crs/EPSG/0/{_code_of(frame)}"})},
    "proj:code": lambda frame: {"proj:code": f"EPSG:{_code_of(frame)}"},
    "crs": lambda frame: {"crs": f"epsg:{_code_of(frame)}"},
    "epsg.io": lambda frame: {"crs": f"https://epsg.io/{_code_of(frame)}"},
    "urn": lambda frame: {"crs": f"urn:ogc:def:crs:EPSG::{_code_of(frame)}"},
}
"""Spellings of a CRS with a code."""

LEVELS = ("mapping", "own first", "other first", "two blanks", "unnamed", "array", "coordinate", "group")
STORES = ("netcdf-4", "netcdf-3", "zarr-2", "zarr-3", "zarr-3 group")
FORMS = ("coordinates", "coordinates", "coordinates", "GeoTransform", "spatial:transform", "spatial:bbox", "of nodes")
CONTRADICTIONS: Mapping[str, Outcome] = {
    "none": "served",
    "none but cells": "served",
    "group elsewhere": "warned",
    "transform elsewhere": "warned",
    "cells elsewhere": "refused",
    "mapping of others": "refused",
}


@dataclass(frozen=True)
class Member:
    """One archive and its expected result."""

    title: str
    make: Callable[[Path], Path] = field(repr=False)
    outcome: Outcome
    places: tuple[tuple[float, float], ...] = field(repr=False)
    """Longitude and latitude of each of `CELLS`."""
    values: tuple[float, ...] = tuple(float(VALUES[cell]) for cell in CELLS)


def member_of(seed: int) -> Member:
    """Return the member that a seed draws."""
    draw = np.random.default_rng(seed)
    frame_name = str(draw.choice(list(FRAMES)))
    frame = FRAMES[frame_name]
    spellings = {**SPELLINGS, **(OF_CODES if _code_of(frame) else {})}
    spelling, level = str(draw.choice(list(spellings))), str(draw.choice(LEVELS))
    store, form, contradiction = (str(draw.choice(each)) for each in (STORES, FORMS, list(CONTRADICTIONS)))
    level = "array" if level == "coordinate" and form != "coordinates" else level
    spelling = "crs_wkt" if frame_name == "feet" and spelling == "CF" else spelling
    if form != "coordinates" and contradiction not in {"none", "group elsewhere"}:
        contradiction = "none"
    if frame_name == "latitudes" and contradiction == "mapping of others":
        contradiction = "none"
    outcome = CONTRADICTIONS[contradiction]
    if outcome == "warned" and contradiction == "group elsewhere" and level == "group":
        contradiction, outcome = "none", "served"
    make = partial(_make, frame=frame, spelled=spellings[spelling](frame), level=level, store=store, form=form,
                   contradiction=contradiction)  # fmt: skip
    title = f"{seed}: {frame_name}, {spelling} at {level} of {store}, {form}, {contradiction}"
    lon, lat = _lonlat(frame)
    return Member(title, make, outcome, tuple((float(lon[cell]), float(lat[cell])) for cell in CELLS))


def _lonlat(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    to_lonlat = Transformer.from_crs(frame.crs, "OGC:CRS84", always_xy=True)
    return to_lonlat.transform(*np.meshgrid(frame.x * frame.factor, frame.y * frame.factor))


def _make(
    folder: Path, *, frame: Frame, spelled: Mapping[str, Any], level: str, store: str, form: str, contradiction: str
) -> Path:
    y_name, x_name = frame.names
    array: dict[str, Any] = {"long_name": "made"}
    x_attrs: dict[str, Any] = {"standard_name": frame.standard_names[1], "units": frame.units[1]}
    y_attrs: dict[str, Any] = {"standard_name": frame.standard_names[0], "units": frame.units[0]}
    group: dict[str, Any] = {}
    if contradiction == "mapping of others":
        spelled, level = CRS.from_epsg(4326).to_cf(), level if level != "coordinate" else "mapping"
        spelled = spelled if frame.names[0] != "rlat" else CRS.from_epsg(3035).to_cf()
    mapping, words = _stated_at(level, spelled, frame, array, x_attrs, group)
    if contradiction == "group elsewhere":
        group |= _elsewhere(frame)
    _add_transform(
        frame, form, contradiction, mapping if mapping is not None else array, group if "zarr" in store else array
    )
    if words:
        array["grid_mapping"] = words
    made = xarray.Dataset({"made": (frame.names, VALUES, array)}, attrs=group)
    if form == "coordinates":
        made = made.assign_coords({y_name: (y_name, frame.y, y_attrs), x_name: (x_name, frame.x, x_attrs)})
    if mapping is not None:
        made["own"] = ((), np.int32(0), mapping)
    lon, lat = _lonlat(frame)
    if "first" in level or "blanks" in level or "cells" in contradiction:
        shift = 5.0 if contradiction == "cells elsewhere" else 0.0
        made["cell_lat"] = (frame.names, lat + shift, {"standard_name": "latitude", "units": "degrees_north"})
        made["cell_lon"] = (frame.names, lon + shift, {"standard_name": "longitude", "units": "degrees_east"})
        made["geo"] = ((), np.int32(0), CRS.from_epsg(4326).to_cf())
        made["made"].attrs["coordinates"] = "cell_lat cell_lon"
    return _write(made, folder, store)


def _stated_at(
    level: str,
    spelled: Mapping[str, Any],
    frame: Frame,
    array: dict[str, Any],
    coordinate: dict[str, Any],
    group: dict[str, Any],
) -> tuple[dict[str, Any] | None, str]:
    """Return the attributes of the grid mapping, if any, and its name in the array."""
    own = f"own: {frame.names[0]} {frame.names[1]}"
    words = {
        "mapping": "own", "unnamed": "", "own first": f"{own} geo: cell_lat cell_lon",
        "other first": f"geo: cell_lat cell_lon {own}", "two blanks": f"geo: cell_lat  cell_lon  {own}",
    }  # fmt: skip
    if level in words:
        return dict(spelled), words[level]
    {"array": array, "coordinate": coordinate, "group": group}[level].update(spelled)
    return None, ""


def _elsewhere(frame: Frame) -> dict[str, Any]:
    """Another CRS of the same kind of coordinates."""
    other = {"lat": None, "rlat": CRS.from_cf({**POLE, "grid_north_pole_longitude": 18.0}).to_wkt()}
    text = other.get(frame.names[0], CRS.from_epsg(32735).to_wkt())
    return {"crs_wkt": text or CRS.from_proj4("+proj=longlat +R=6371229 +pm=madrid").to_wkt()}


def _add_transform(frame: Frame, form: str, contradiction: str, mapping: dict[str, Any], outer: dict[str, Any]) -> None:
    """Add a transform in units of the CRS that replaces the coordinates, or one of another location in addition."""
    x_step, y_step = ((each[1] - each[0]) * frame.factor for each in (frame.x, frame.y))
    left, top = frame.x[0] * frame.factor - x_step / 2, frame.y[0] * frame.factor - y_step / 2
    shift = 40 * x_step if contradiction == "transform elsewhere" else 0.0
    if form == "GeoTransform" or shift:
        mapping["GeoTransform"] = " ".join(map(repr, map(float, (left + shift, x_step, 0.0, top, 0.0, y_step))))
    elif form == "of nodes":
        outer["spatial:registration"] = "node"
        outer["spatial:transform"] = [
            float(each) for each in (x_step, 0, left + x_step / 2, 0, y_step, top + y_step / 2)
        ]
        outer["spatial:shape"] = [ROWS, COLUMNS]
    elif form == "spatial:transform" or (form == "spatial:bbox" and y_step > 0):
        outer["spatial:transform"] = [float(each) for each in (x_step, 0, left, 0, y_step, top)]
        outer["spatial:shape"] = [ROWS, COLUMNS]
    elif form == "spatial:bbox":
        outer["spatial:bbox"] = [float(each) for each in (left, top + ROWS * y_step, left + COLUMNS * x_step, top)]


def _write(made: xarray.Dataset, folder: Path, store: str) -> Path:
    if store.startswith("netcdf"):
        engine, version = ("scipy", "NETCDF3_64BIT") if store == "netcdf-3" else ("h5netcdf", "NETCDF4")
        made.to_netcdf(folder / "made.nc", engine=engine, format=version)
        return folder
    version, path = int(store[5]), folder / "made.zarr"
    if not store.endswith("group"):
        made.to_zarr(path, zarr_format=version, consolidated=version == 2)
        return folder
    attrs = dict(made.attrs)
    made.drop_attrs(deep=False).to_zarr(path, group="0", zarr_format=version, consolidated=False)
    level = {key: attrs.pop(key) for key in list(attrs) if key.startswith("spatial:")}
    zarr.open_group(path, mode="a").attrs.update({**attrs, "multiscales": {"layout": [{"asset": "0", **level}]}})
    return folder
