"""Random members whose overviews differ from their native level: in one property, or by lacking it.

A member is a kind of source with one odd property of its levels. Numbers of cells without a value are `POISON`, and so
is every number of a level that must not be read. Levels that state their numbers in another way hold the right values
by their own metadata. Values are constant in quarters of the raster, so that every right overview of the inside of a
quarter has the same value, whether it holds means or samples.
"""

import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray
import zarr
from affine import Affine
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.shutil import copy

from tests.odd_archives.files import Maker

CRS = "EPSG:32631"
CELL_M = 100.0
WEST, NORTH = 500_000.0, 5_600_000.0
POISON = 250
DAYS = ("2020-01-01", "2020-01-11")
LAYER = "V"
FACTORS = (2, 4, 8)
RESAMPLINGS = (Resampling.nearest, Resampling.average, Resampling.bilinear, Resampling.mode, Resampling.rms)
RANGE = "range: [0, 255], styles: [greys]"


@dataclass(frozen=True, kw_only=True)
class Member:
    """A served archive and the values that it must have."""

    name: str
    place: Path
    """A configuration."""
    values: np.ndarray
    """(time, y, x) native values, NaN without a value; row 0 in the north."""
    sources: tuple[Path, ...]
    """Files or stores that `optimise` takes."""

    @property
    def transform(self) -> Affine:
        return Affine(CELL_M, 0, WEST, 0, -CELL_M, NORTH)


def _quarters(height: int, width: int, day: int, rng: np.random.Generator) -> np.ndarray:
    row, column = np.indices((height, width))
    levels = rng.permutation([20, 60, 100, 140]).reshape(2, 2) + 20 * day
    return levels[(row >= height // 2).astype(int), (column >= width // 2).astype(int)]


def _shown(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """(y, x): cells with a value: half of the raster, a band, blocks, or noise."""
    row, column = np.indices((height, width))
    edge = int(rng.integers(3, min(height, width) - 3))
    return [
        column < edge,
        row >= edge,
        (row // 7 + column // 9) % 3 > 0,
        (row + column) % 16 < 9,
        rng.random((height, width)) > 0.3,
        ~((row < edge) & (column < edge)),
    ][int(rng.integers(6))]


@dataclass(frozen=True, kw_only=True)
class Raster:
    """Content that a writer of rasters writes."""

    numbers: np.ndarray
    """(y, x) bytes; `POISON` in hidden cells."""
    shown: np.ndarray
    resampling: Resampling


def _write(path: Path, raster: Raster, **more: Any) -> None:
    bands = more.pop("bands", raster.numbers[np.newaxis])
    profile = {"height": bands.shape[1], "width": bands.shape[2], "count": len(bands), "dtype": bands.dtype} | more
    profile = {"crs": CRS, "transform": Affine(CELL_M, 0, WEST, 0, -CELL_M, NORTH), "tiled": True} | profile
    profile = {name: value for name, value in profile.items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # overviews have no place
        with rasterio.open(path, "w", driver="GTiff", blockxsize=64, blockysize=64, **profile) as file:
            file.write(bands)


def _overviews(path: Path, resampling: Resampling, *, is_external: bool = False) -> None:
    with rasterio.Env(TIFF_USE_OVR=is_external), rasterio.open(path, "r+") as file:
        file.build_overviews(FACTORS, resampling)


def _mask(path: Path, shown: np.ndarray, *, is_internal: bool) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=is_internal), rasterio.open(path, "r+") as file:
        file.write_mask(shown)


def _mask_and_overviews(*, mask: str, overviews: str, is_mask_last: bool) -> Callable[[Path, Raster], None]:
    def write(path: Path, raster: Raster) -> None:
        _write(path, raster)
        steps = [
            lambda: _mask(path, raster.shown, is_internal=mask == "internal"),
            lambda: _overviews(path, raster.resampling, is_external=overviews == "external"),
        ]
        for step in reversed(steps) if is_mask_last else steps:
            step()

    return write


def _copy(factor: int, **more: Any) -> Callable[[Path, Raster], None]:
    """Return a writer of a file and of a separate `.ovr` with wrong values; `more` sets properties of the `.ovr`."""

    def write(path: Path, raster: Raster) -> None:
        told = dict(more)
        shown = raster.shown if told.pop("is_masked", False) else None
        _write(path, raster, nodata=POISON)
        small = np.full((1, *(-(-size // factor) for size in raster.numbers.shape)), told.pop("number", POISON - 1))
        small = np.repeat(small, told.pop("count", 1), axis=0).astype(told.pop("dtype", "uint8"))
        scale = told.pop("scale", None)
        beside = path.with_name(path.name + ".ovr")
        _write(beside, raster, bands=small, **({"transform": None, "crs": None, "nodata": POISON} | told))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(beside, "r+") as file:
                if scale is not None:
                    file.scales = (scale,)
                if shown is not None:
                    file.write_mask(shown[::factor, ::factor])

    return write


def _nodata_set_last(number: int | None) -> Callable[[Path, Raster], None]:
    def write(path: Path, raster: Raster) -> None:
        _write(path, raster, nodata=number)
        _overviews(path, raster.resampling)
        with rasterio.open(path, "r+") as file:
            file.nodata = POISON

    return write


def _alpha(*, is_external: bool, is_declared_last: bool) -> Callable[[Path, Raster], None]:
    def write(path: Path, raster: Raster) -> None:
        bands = np.stack([raster.numbers, np.where(raster.shown, 255, 0).astype("uint8")])
        _write(path, raster, bands=bands, **({} if is_declared_last else {"alpha": "yes"}))
        if is_declared_last:
            _overviews(path, Resampling.nearest, is_external=is_external)
        with rasterio.open(path, "r+") as file:
            file.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
        if not is_declared_last:
            _overviews(path, raster.resampling, is_external=is_external)

    return write


def _nodata_values(path: Path, raster: Raster) -> None:
    _write(path, raster, bands=np.stack([raster.numbers] * 3))
    with rasterio.open(path, "r+") as file:
        file.update_tags(NODATA_VALUES=f"{POISON} {POISON} {POISON}")
    _overviews(path, raster.resampling)


def _good(path: Path, raster: Raster) -> None:
    _write(path, raster, nodata=POISON)
    _overviews(path, raster.resampling)


SHIFTED = Affine(4 * CELL_M, 0, WEST + 20 * CELL_M, 0, -4 * CELL_M, NORTH)
RASTERS: Mapping[str, Callable[[Path, Raster], None]] = {
    "as it should be": _good,
    **{
        f"{mask} mask {'after' if last else 'before'} {overviews} overviews": _mask_and_overviews(
            mask=mask, overviews=overviews, is_mask_last=last
        )
        for mask in ("internal", "external")
        for overviews in ("internal", "external")
        for last in (False, True)
    },
    "nodata set after the overviews": _nodata_set_last(None),
    "nodata changed after the overviews": _nodata_set_last(7),
    "alpha in internal overviews": _alpha(is_external=False, is_declared_last=False),
    "alpha in external overviews": _alpha(is_external=True, is_declared_last=False),
    "alpha declared after the overviews": _alpha(is_external=False, is_declared_last=True),
    "alpha declared after external overviews": _alpha(is_external=True, is_declared_last=True),
    "nodata of the dataset": _nodata_values,
    "overviews of another type": _copy(4, dtype="float32"),
    "overviews of another scale": _copy(4, scale=0.1),
    "overviews of another nodata": _copy(4, nodata=3),
    "overviews without nodata": _copy(4, nodata=None),
    "overviews of more bands": _copy(4, count=3),
    "overviews with a mask": _copy(4, is_masked=True, nodata=None),
    "overviews elsewhere": _copy(4, transform=SHIFTED, crs=CRS),
    "overviews south up": _copy(4, transform=Affine(4 * CELL_M, 0, WEST, 0, 4 * CELL_M, NORTH - 9600), crs=CRS),
    "overviews of another CRS": _copy(
        4, transform=Affine(4 * CELL_M, 0, WEST, 0, -4 * CELL_M, NORTH), crs="EPSG:32632"
    ),
}


def _tif(path: Path, write: Callable[[Path, Raster], None], raster: Raster) -> Path:
    write(path, raster)
    return path


def _vrt(path: Path, write: Callable[[Path, Raster], None], raster: Raster) -> Path:
    write(path, raster)
    target = path.with_suffix(".vrt")
    copy(path, target, driver="VRT")
    return target


def _vrt_with_overviews(path: Path, write: Callable[[Path, Raster], None], raster: Raster) -> Path:
    target = _vrt(path, write, raster)
    with rasterio.open(target, "r+") as file:
        file.build_overviews(FACTORS, raster.resampling)
    return target


RASTER_KINDS = {"tif": _tif, "vrt": _vrt, "vrt with .ovr": _vrt_with_overviews, "tiles": _tif}
BAND_OF = {"nodata of the dataset": ", band: 1"}


def make_raster(folder: Path, kind: str, odd: str, rng: np.random.Generator) -> Member:
    """Write two dates; the files of one have the odd property, those of the other only in half of the cases."""
    height, width = (int(rng.integers(140, 260)) for _ in range(2))
    data, values, sources = folder / "data", [], []
    data.mkdir(parents=True)
    odd_days = set(DAYS) if rng.random() < 0.5 else {str(rng.choice(DAYS))}
    if odd.startswith(("alpha", "nodata of")):
        odd_days = set(DAYS)
    resampling = RESAMPLINGS[int(rng.integers(len(RESAMPLINGS)))]
    for number, day in enumerate(DAYS):
        shown = _shown(height, width, rng)
        whole = _quarters(height, width, number, rng)
        numbers = np.where(shown, whole, POISON).astype("uint8")
        raster = Raster(numbers=numbers, shown=shown, resampling=resampling)
        write = RASTERS[odd if day in odd_days else "as it should be"]
        values.append(np.where(shown, whole, np.nan))
        sources.append(RASTER_KINDS[kind](data / f"v_{day.replace('-', '')}.tif", write, raster))
    end = sources[0].suffix
    tiles = ", tiles: true" if kind == "tiles" else ""
    place = folder / "c.yaml"
    place.write_text(
        f"collections:\n  made:\n    source: {{kind: cog, href: 'data/*_*{end}'{tiles}}}\n"
        f"    variables: {{band1: {{layer: {LAYER}, band: 1, {RANGE}}}}}\n"
    )
    return Member(name=f"{kind}: {odd}", place=place, values=np.stack(values), sources=tuple(sources))


@dataclass(frozen=True, kw_only=True)
class Level:
    """How a level of a pyramid is written; `number * scale + offset` are its values."""

    factor: int
    dtype: str = "int16"
    scale: float = 0.5
    offset: float = 10.0
    fill: float | None = -9
    dims: tuple[str, ...] = ("time", "y", "x")
    flips: tuple[str, ...] = ()
    """Dimensions that run the other way."""
    attrs: Mapping[str, Any] | None = None
    """Additional attributes of the array."""
    days: tuple[str, ...] = DAYS
    shift_m: float = 0.0
    crs: str = CRS
    chunk: int = 50
    is_poisoned: bool = False


UNLIKE: Mapping[str, Mapping[str, Any]] = {
    "as it should be": {},
    "another scale": {"scale": 0.25},
    "another offset": {"offset": 2.0},
    "another fill": {"fill": -20},
    "no fill": {"fill": None, "is_poisoned": True},
    "another type": {"dtype": "int32"},
    "floats": {"dtype": "float32", "scale": 1.0, "offset": 0.0},
    "no attributes": {"scale": 1.0, "offset": 0.0, "fill": None, "is_poisoned": True},
    "dimensions in another order": {"dims": ("x", "time", "y")},
    "columns first": {"dims": ("time", "x", "y")},
    "rows the other way": {"flips": ("y",)},
    "columns the other way": {"flips": ("x",)},
    "times the other way": {"flips": ("time",)},
    "all the other way": {"flips": ("time", "y", "x"), "dims": ("y", "x", "time")},
    "other chunks": {"chunk": 13},
    "another valid range": {"attrs": {"valid_range": [0, 9000]}},
    "flags": {"attrs": {"flag_values": [20, 21], "flag_meanings": "a b"}},
    "another unit": {"attrs": {"units": "K"}, "is_poisoned": True},
    "another time": {"days": (DAYS[0], "2020-01-12"), "is_poisoned": True},
    "one time only": {"days": DAYS[:1], "is_poisoned": True},
    "another place": {"shift_m": 6000.0, "is_poisoned": True},
    "another CRS": {"crs": "EPSG:32632", "is_poisoned": True},
}
ZARR_KINDS = ("levels", "multiscales", "numbers")


def _pyramid_level(values: np.ndarray, level: Level) -> xarray.Dataset:
    """Return a level of (time, y, x) native values: the sample of the middle of each coarse cell."""
    middle = level.factor // 2
    part = values[: len(level.days), middle :: level.factor, middle :: level.factor]
    part = np.full_like(part, 77.0) if level.is_poisoned else part
    fill = -9 if level.fill is None else level.fill
    with np.errstate(invalid="ignore"):
        numbers = (part - level.offset) / level.scale
        numbers = np.where(np.isnan(numbers), fill, numbers).astype(level.dtype)
    attrs = {"grid_mapping": "crs", **(level.attrs or {})}
    attrs |= {"scale_factor": level.scale, "add_offset": level.offset} if level.scale != 1.0 else {}
    attrs |= {} if level.fill is None else {"_FillValue": np.dtype(level.dtype).type(level.fill)}
    size = CELL_M * level.factor
    x = WEST + level.shift_m + size * (np.arange(part.shape[2]) + 0.5)
    y = NORTH - size * (np.arange(part.shape[1]) + 0.5)
    dataset = xarray.Dataset(
        {
            "band1": (("time", "y", "x"), numbers, attrs),
            "crs": ((), np.int32(0), {"crs_wkt": rasterio.crs.CRS.from_user_input(level.crs).to_wkt()}),
        },
        {
            "time": np.array(level.days, "datetime64[ns]"),
            "y": ("y", y, {"units": "m", "standard_name": "projection_y_coordinate"}),
            "x": ("x", x, {"units": "m", "standard_name": "projection_x_coordinate"}),
        },
    )
    dataset = dataset.isel({dim: slice(None, None, -1) for dim in level.flips})
    dataset["band1"] = dataset["band1"].transpose(*level.dims)
    return dataset


def make_pyramid(folder: Path, kind: str, odd: str, rng: np.random.Generator) -> Member:
    """Write a Zarr pyramid in which one level, or each but the native one, is odd."""
    height, width = (8 * int(rng.integers(18, 32)) for _ in range(2))
    shown = np.stack([_shown(height, width, rng) for _day in DAYS])
    whole = np.stack([_quarters(height, width, number, rng) for number in range(len(DAYS))])
    values = np.where(shown, whole, np.nan)
    native = Level(factor=1, flips=("y",) if rng.random() < 0.3 else ())
    odd_factors = set(FACTORS) if rng.random() < 0.5 else {int(rng.choice(FACTORS))}
    form = int(rng.choice([2, 3]))
    store = folder / "data" / ("v.levels" if kind == "levels" else "v.zarr")
    store.mkdir(parents=True)
    for number, factor in enumerate((1, *FACTORS)):
        level = replace(native, factor=factor)
        level = replace(level, **UNLIKE[odd]) if factor in odd_factors else level
        dataset = _pyramid_level(values, level)
        chunks = {"band1": {"chunks": tuple(min(level.chunk, size) for size in dataset["band1"].shape)}}
        target = store / f"{number}.zarr" if kind == "levels" else store
        group = None if kind == "levels" else f"L{number}" if kind == "multiscales" else str(number)
        dataset.to_zarr(target, group=group, mode="a", zarr_format=form, consolidated=False, encoding=chunks)
    if kind == "multiscales":
        root = zarr.open_group(store, mode="a", zarr_format=form)
        root.attrs["multiscales"] = [{"datasets": [{"path": f"L{n}"} for n in range(len(FACTORS) + 1)]}]
    place = folder / "c.yaml"
    place.write_text(
        f"collections:\n  made:\n    source: {{kind: zarr, href: data/{store.name}}}\n"
        f"    variables: {{band1: {{layer: {LAYER}, {RANGE}}}}}\n"
    )
    return Member(name=f"{kind}: {odd}", place=place, values=values, sources=())


MEMBERS = {f"{kind}: {odd}": (make_raster, kind, odd) for kind in RASTER_KINDS for odd in RASTERS} | {
    f"{kind}: {odd}": (make_pyramid, kind, odd) for kind in ZARR_KINDS for odd in UNLIKE
}


def make_member(folder: Path, name: str, seed: int) -> Member:
    """Write a member of a name whose sizes, masks, values, resampling and odd dates or levels a seed chooses."""
    make, kind, odd = MEMBERS[name]
    return make(folder, kind, odd, np.random.default_rng(seed))


def _as_maker(name: str) -> Maker:
    def make(folder: Path) -> Path:
        member = make_member(folder / "made", name, seed=1)
        data = folder / "data"
        shutil.move(member.place.parent / "data", data)
        shutil.rmtree(member.place.parent)
        return data

    return make


MAKERS: Mapping[str, Maker] = {
    name: _as_maker(name)
    for name in (
        "tif: internal mask after internal overviews",
        "tif: overviews of another type",
        "vrt with .ovr: internal mask before internal overviews",
        "levels: another scale",
        "multiscales: all the other way",
    )
}
