"""Real data read directly by rasterio and xarray, and served, so that tests can compare the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import rasterio
import xarray
import zarr
from pyproj import CRS, Transformer
from rasterio.enums import MaskFlags
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import Archive, open_archive
from chronotile.core.model.time.instants import system_clock

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared"
CONFIGURED = {path.stem: path for path in HERE.glob("*.yaml")}


@dataclass(frozen=True)
class Truth:
    """Digital numbers (time, y, x) with their encoding and georeferencing."""

    numbers: np.ndarray
    transform: rasterio.Affine
    crs: CRS
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    present: np.ndarray | None = None
    """The file's own mask (y, x)."""

    def valid(self, *cells: object) -> np.ndarray:
        """Return where a value exists: (time, y, x), or of a selection (time, row, column)."""
        numbers = self.numbers[cells] if cells else self.numbers
        valid = ~np.isnan(numbers) if numbers.dtype.kind == "f" else np.ones(numbers.shape, dtype=bool)
        if self.present is not None:
            valid &= self.present[cells[1:]] if cells else self.present
        return valid if self.nodata is None else valid & (numbers != self.nodata)

    def at(self, x: np.ndarray, y: np.ndarray, crs: str, *, time: int = -1) -> np.ndarray:
        """Return values of the cells at points of another CRS, by exact coordinates; NaN outside."""
        with np.errstate(invalid="ignore"):  # points off the Earth are infinite
            columns, rows = ~self.transform @ Transformer.from_crs(crs, self.crs, always_xy=True).transform(x, y)
        if self.crs.is_geographic and self.transform.b == 0:
            columns = np.where(columns < 0, columns + 360 / self.transform.a, columns % (360 / self.transform.a))
        _times, height, width = self.numbers.shape
        inside = np.isfinite(columns) & np.isfinite(rows)
        inside &= (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        row, column = (np.floor(np.where(inside, each, 0)).astype(int) for each in (rows, columns))
        values = self.numbers[time, row, column].astype(np.float64) * self.scale + self.offset
        return np.where(inside & self.valid(time, row, column), values, np.nan)

    def spacing(self, row: int, column: int, crs: str) -> float:
        """How far a cell's centre is from the next one's, in units of another CRS."""
        near = 1 if column == 0 else -1
        x, y = self.transform @ (np.array([column + 0.5, column + near + 0.5]), np.array([row + 0.5, row + 0.5]))
        x, y = Transformer.from_crs(self.crs, crs, always_xy=True).transform(x, y)
        return float(np.hypot(x[1] - x[0], y[1] - y[0]))

    def expected(self, row: int, column: int) -> list[float | None]:
        """Return the values of one cell along time, as text has them, by exact decimals."""
        numbers, valid = self.numbers[:, row, column], self.valid(slice(None), row, column)
        return [self._text(number) if is_valid else None for number, is_valid in zip(numbers, valid, strict=True)]

    def _text(self, number: np.generic) -> float:
        """Return one value: for floats the shortest decimal, else exact to at most a thousandth of a step."""
        if number.dtype.kind == "f":
            return float(str(number.dtype.type(float(number) * self.scale + self.offset)))
        scale, offset = Decimal(repr(float(self.scale))), Decimal(repr(float(self.offset)))
        exact = (int(number) * scale + offset).normalize()
        if len(exact.as_tuple().digits) > 10:
            exact = exact.quantize(Decimal(1).scaleb(scale.adjusted() - 3))
        return float(exact)

    def lonlat(self, row: int, column: int) -> tuple[float, float]:
        """Longitude and latitude of a cell's centre."""
        x, y = self.transform @ (column + 0.5, row + 0.5)
        return Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True).transform(x, y)

    def centres(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the centres of cells."""
        return self.transform @ (columns + 0.5, rows + 0.5)

    def cells(self, count: int = 50) -> list[tuple[int, int]]:
        """Random cells (row, column), the same at each call."""
        _times, height, width = self.numbers.shape
        generator = np.random.default_rng(20190604)
        return list(zip(generator.integers(0, height, count), generator.integers(0, width, count), strict=True))


def raster_truth(
    paths: Sequence[Path], band: int | None = 1, *, crs: str | None = None, dtype: str | None = None, **meaning: float
) -> Truth:
    """Read one band of each file, or with band `None` all bands of the only file as times."""
    planes = []
    for path in paths:
        with rasterio.open(path) as dataset:
            planes.append(dataset.read() if band is None else dataset.read([band]))
            transform = dataset.transform
            crs = CRS.from_user_input(crs or dataset.crs.to_wkt())
            index = (band or 1) - 1
            said = {"scale": dataset.scales[index], "offset": dataset.offsets[index], "nodata": dataset.nodata}
            has_mask = MaskFlags.per_dataset in dataset.mask_flag_enums[index]
            present = dataset.read_masks(index + 1) > 0 if has_mask else None
    numbers = np.concatenate(planes)
    return Truth(
        numbers if dtype is None else numbers.view(dtype), transform, crs, present=present, **{**said, **meaning}
    )


def xarray_truth(path: Path, name: str, *, crs: str = "EPSG:4326", dtype: str | None = None, **meaning: float) -> Truth:
    """Read an array over time, y and x of a NetCDF file or Zarr store, undecoded."""
    with _opened(path) as dataset:
        array = dataset[name]
        y_name, x_name = array.dims[-2:]
        metres = 1000.0 if dataset[x_name].attrs.get("units") == "km" else 1.0
        x, y = (dataset[each].values.astype(float) * metres for each in (x_name, y_name))
        numbers = array.values.reshape((-1, *array.shape[-2:]))
        attrs = {**array.attrs, **array.encoding}
    step_x, step_y = (x[-1] - x[0]) / (len(x) - 1), (y[-1] - y[0]) / (len(y) - 1)
    transform = rasterio.Affine(step_x, 0, x[0] - step_x / 2, 0, step_y, y[0] - step_y / 2)
    said = {
        "scale": float(attrs.get("scale_factor", 1.0)),
        "offset": float(attrs.get("add_offset", 0.0)),
        "nodata": attrs.get("_FillValue", attrs.get("missing_value")),
    }
    return Truth(numbers if dtype is None else numbers.view(dtype), transform, CRS(crs), **{**said, **meaning})


def _opened(path: Path) -> xarray.Dataset:
    raw = {"mask_and_scale": False, "decode_times": False}
    if path.suffix == ".zip":
        store = zarr.storage.ZipStore(path, mode="r")
        return xarray.open_zarr(store, group=path.name.removesuffix(".zip"), consolidated=False, **raw)
    return xarray.open_dataset(path, **raw, **({"engine": "zarr"} if path.suffix == ".zarr" else {}))


def open_place(place: Path) -> Archive:
    """Open a configuration, folder or file as `chronotile serve` does."""
    return open_archive(place, environment={"CHRONOTILE_SHARED": str(SHARED)}, clock=system_clock)


def client_of(archive: Archive) -> TestClient:
    """Return a client of the application that serves an archive; enter it to run it."""
    return TestClient(application(archive.services))
