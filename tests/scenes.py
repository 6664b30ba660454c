"""Made sources whose numbers follow a formula of column, row and time: one scene in every kind of store."""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
import xarray
from affine import Affine

from chronotile.core.model.source import SourceSpec, VariableSpec
from tests.rasters import write_raster

KINDS = ("cog", "zarr-v2", "zarr-v3", "zarr-zip", "netcdf-3", "netcdf-4")
"""Every way to store a scene."""

NODATA = 255


@dataclass(frozen=True)
class Scene:
    """Stored scene; the numbers are `number(t, row, column)`, never `NODATA` except if row + column is `gap`."""

    crs: str = "EPSG:32631"
    transform: Affine = field(default_factory=lambda: Affine(10, 0, 500_000, 0, -10, 5_650_000))
    width: int = 40
    height: int = 30
    days: tuple[str, ...] = ("2020-01-01", "2020-01-11", "2020-01-21", "2020-02-01", "2020-02-11")
    scale: float = 0.004
    offset: float = -0.08
    gap: int = 17
    shift: int = 0
    """Added to all numbers; another shift is another processing."""

    @property
    def times(self) -> np.ndarray:
        """(time,)."""
        return np.array(self.days, dtype="datetime64[ns]")

    def number(self, t, row, column):
        """Return the formula, over scalars or arrays."""
        number = (7 * column + 13 * row + 31 * t + self.shift) % 250
        return np.where(row + column == self.gap, NODATA, number).astype("uint8")

    def numbers(self, t: int) -> np.ndarray:
        """(y, x) of one time."""
        rows, columns = np.mgrid[: self.height, : self.width]
        return self.number(t, rows, columns)

    def cube(self) -> np.ndarray:
        """(time, y, x)."""
        return np.stack([self.numbers(t) for t in range(len(self.days))])

    def digest(self) -> str:
        """Return a digest of all numbers: in a subclass, they may depend on more than its text."""
        return hashlib.blake2b(self.cube().tobytes(), digest_size=16).hexdigest()

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the cells' centres."""
        x, _ = self.transform @ (np.arange(self.width) + 0.5, np.zeros(self.width))
        _, y = self.transform @ (np.zeros(self.height), np.arange(self.height) + 0.5)
        return x, y


def write_scene(kind: str, folder: Path, scene: Scene) -> SourceSpec:
    """Write a scene and return how it is configured: collection `made`, variable `NDVI`."""
    if kind == "cog":
        return write_cogs(folder, scene)
    if kind.startswith("netcdf"):
        return write_netcdf(folder, scene, version=int(kind[-1]))
    spec = write_zarr(folder, scene, version=2 if kind == "zarr-v2" else 3)
    return _zipped(spec) if kind == "zarr-zip" else spec


def write_once(folder: Path, key: object, write: Callable[[Path], object]) -> None:
    """Write files with `write(folder)`, or copy those that this process wrote under the same key before.

    Existing files are overwritten, as by `write`.
    """
    first = _WRITTEN.get(repr(key))
    if first is None:
        first = Path(tempfile.mkdtemp(dir=_folder_of_written()))
        write(first)
        _WRITTEN[repr(key)] = first
    if any((folder / each.name).exists() for each in first.iterdir()):
        write(folder)
    else:
        shutil.copytree(first, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)


_WRITTEN: dict[str, Path] = {}
"""Folders by the key of their content: to write a store takes twenty times as long as to copy it."""


@cache
def _folder_of_written() -> str:
    folder = tempfile.TemporaryDirectory(prefix="chronotile-scenes-")
    atexit.register(folder.cleanup)
    return folder.name


def write_cogs(folder: Path, scene: Scene, *, overviews: tuple[int, ...] = (2,), **profile) -> SourceSpec:
    """Write one tiled GeoTIFF a date."""

    def write(place: Path) -> None:
        for t, day in enumerate(scene.days):
            name = f"NDVI_{day.replace('-', '')}.tif"
            write_tif(place / name, scene.numbers(t), scene, overviews=overviews, **profile)

    write_once(folder, ("cog", scene, scene.digest(), overviews, profile), write)
    return make_spec("cog", folder / "NDVI_*.tif", time_pattern=r"_(?P<time>\d{8})")


def write_tif(path: Path, numbers: np.ndarray, scene: Scene, *, overviews: tuple[int, ...] = (), **profile) -> Path:
    """Write (y, x) or (band, y, x) numbers as a tiled GeoTIFF with the scene's place and encoding."""
    profile = {
        "crs": scene.crs,
        "transform": scene.transform,
        "nodata": NODATA,
        "tiled": True,
        "blockxsize": 16,
        "blockysize": 16,
        "compress": "deflate",
    } | profile
    return write_raster(path, numbers, scale=scene.scale, offset=scene.offset, overviews=overviews, **profile)


GEOGRAPHIC_AXES = (
    {"standard_name": "latitude", "units": "degrees_north"},
    {"standard_name": "longitude", "units": "degrees_east"},
)
PROJECTED_AXES = (
    {"standard_name": "projection_y_coordinate", "units": "m"},
    {"standard_name": "projection_x_coordinate", "units": "m"},
)
"""CF attributes of the coordinates y and x (CF 1.11 §4)."""


def make_dataset(scene: Scene, *, dims: tuple[str, str, str] = ("time", "y", "x")) -> xarray.Dataset:
    """Return the scene as CF has it, numbers as stored."""
    x, y = scene.coordinates()
    attrs = {
        "scale_factor": scene.scale,
        "add_offset": scene.offset,
        "_FillValue": np.uint8(NODATA),
        "grid_mapping": "spatial_ref",
        "long_name": "made NDVI",
    }
    is_geographic = rasterio.crs.CRS.from_user_input(scene.crs).is_geographic
    of_y, of_x = GEOGRAPHIC_AXES if is_geographic else PROJECTED_AXES
    cube = xarray.DataArray(scene.cube(), dims=("time", "y", "x")).transpose(*dims)
    mapping = {"crs_wkt": rasterio.crs.CRS.from_user_input(scene.crs).to_wkt()}
    return xarray.Dataset(
        {"NDVI": (dims, cube.values, attrs), "spatial_ref": ((), 0, mapping)},
        {
            "time": ("time", scene.times),
            "y": ("y", y, of_y),
            "x": ("x", x, of_x),
        },
    )


def write_netcdf(folder: Path, scene: Scene, *, version: int = 4) -> SourceSpec:
    """Write one file."""

    def write(place: Path) -> None:
        dataset = make_dataset(scene)
        if version == 3:  # which has no unsigned bytes
            attrs = dataset["NDVI"].attrs | {"_Unsigned": "true", "_FillValue": np.int8(-1)}
            dataset["NDVI"] = (dataset["NDVI"].dims, dataset["NDVI"].values.view("int8"), attrs)
        save_netcdf(dataset, place / "made.nc", version=version)

    write_once(folder, ("netcdf", scene, scene.digest(), version), write)
    return make_spec("netcdf", folder / "made.nc")


def save_netcdf(dataset: xarray.Dataset, path: Path, *, version: int = 4) -> Path:
    """Write a dataset whose attributes already state its encoding; an older file is replaced, not opened."""
    engine, form = ("scipy", "NETCDF3_CLASSIC") if version == 3 else ("h5netcdf", "NETCDF4")
    encoding = {"time": {"units": "hours since 2000-01-01", "dtype": "int32"}} if "time" in dataset.coords else {}
    partial = path.with_suffix(".part")
    dataset.to_netcdf(partial, engine=engine, format=form, encoding=encoding)
    return partial.replace(path)


def write_zarr(folder: Path, scene: Scene, *, version: int = 3, dims=("time", "y", "x"), **encoding) -> SourceSpec:
    """Write groups `0` and `1`, the second every other row and column of the first, one date a chunk."""
    key = ("zarr", scene, scene.digest(), version, dims, encoding)
    write_once(folder, key, lambda place: _write_levels(place / "made.zarr", scene, version, dims, encoding))
    return make_spec("zarr", folder / "made.zarr")


def _write_levels(store: Path, scene: Scene, version: int, dims: tuple[str, ...], encoding: dict[str, object]) -> None:
    for level in (0, 1):
        dataset = make_dataset(scene, dims=dims)
        dataset = _coarser(dataset, scene) if level else dataset
        chunks = tuple({"time": 1, "y": 16, "x": 16}[dim] for dim in dims)
        save_zarr(dataset, store, group=str(level), version=version, NDVI={"chunks": chunks} | encoding)


def save_zarr(dataset: xarray.Dataset, store: Path, *, group: str | None = None, version: int = 3, **encoding) -> Path:
    """Write a dataset whose attributes already state its encoding."""
    if "time" in dataset.coords:
        encoding["time"] = {"units": "hours since 2000-01-01", "dtype": "int32"}
    dataset.to_zarr(store, group=group, mode="w", zarr_format=version, consolidated=False, encoding=encoding)
    return store


def _coarser(dataset: xarray.Dataset, scene: Scene) -> xarray.Dataset:
    """Every other row and column, each standing for two by two cells."""
    a, _, _, _, e, _ = scene.transform[:6]
    thinned = dataset.isel(y=slice(None, None, 2), x=slice(None, None, 2))
    return thinned.assign_coords(
        y=("y", thinned["y"].values + e / 2, dataset["y"].attrs),
        x=("x", thinned["x"].values + a / 2, dataset["x"].attrs),
    )


def _zipped(spec: SourceSpec) -> SourceSpec:
    store = Path(spec.href)
    zipped = shutil.make_archive(str(store), "zip", root_dir=store.parent, base_dir=store.name)
    shutil.rmtree(store)
    return replace(spec, href=zipped)


def make_spec(kind: str, href: Path | str, **rest) -> SourceSpec:
    """Return a source of the collection `made`, by default with the one variable `NDVI`."""
    rest.setdefault("variables", {"NDVI": VariableSpec(id="NDVI")})
    return SourceSpec(collection="made", kind=kind, href=str(href), **rest)
