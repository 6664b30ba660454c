"""Real data read directly by rasterio and xarray, and served, so that tests can compare the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import xarray
from pyproj import CRS, Transformer
from starlette.testclient import TestClient

from chronotile.app import application, system_clock
from chronotile.ingest.archive import Archive, open_archive

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared"
CONFIGURED = {path.stem: path for path in HERE.glob("*.yaml")}


@dataclass(frozen=True)
class Truth:
    """Digital numbers (time, y, x) with what turns them into values and places."""

    numbers: np.ndarray
    transform: rasterio.Affine
    crs: CRS
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None

    def valid(self) -> np.ndarray:
        """Where there is a value (time, y, x)."""
        valid = ~np.isnan(self.numbers) if self.numbers.dtype.kind == "f" else np.ones(self.numbers.shape, dtype=bool)
        return valid if self.nodata is None else valid & (self.numbers != self.nodata)

    def expected(self, row: int, column: int) -> list[float | None]:
        """The values of one cell along time, as the service writes them."""
        values = self.numbers[:, row, column].astype(np.float64) * self.scale + self.offset
        valid = self.valid()[:, row, column]
        return [value if is_valid else None for value, is_valid in zip(values.tolist(), valid.tolist(), strict=True)]

    def lonlat(self, row: int, column: int) -> tuple[float, float]:
        """Longitude and latitude of a cell's centre."""
        x, y = self.transform @ (column + 0.5, row + 0.5)
        return Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True).transform(x, y)

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the centres of all cells, each (y, x)."""
        rows, columns = np.indices(self.numbers.shape[1:]) + 0.5
        return self.transform @ (columns, rows)

    def cells(self, count: int = 50) -> list[tuple[int, int]]:
        """Random cells (row, column), the same at each call."""
        _times, height, width = self.numbers.shape
        generator = np.random.default_rng(20190604)
        return list(zip(generator.integers(0, height, count), generator.integers(0, width, count), strict=True))


def raster_truth(paths: Sequence[Path], band: int | None = 1, *, dtype: str | None = None, **meaning: float) -> Truth:
    """Read one band of each file, or with band `None` all bands of the only file as times."""
    planes = []
    for path in paths:
        with rasterio.open(path) as dataset:
            planes.append(dataset.read() if band is None else dataset.read([band]))
            transform, crs = dataset.transform, CRS.from_wkt(dataset.crs.to_wkt())
            said = {"scale": dataset.scales[0], "offset": dataset.offsets[0], "nodata": dataset.nodata}
    numbers = np.concatenate(planes)
    return Truth(numbers if dtype is None else numbers.view(dtype), transform, crs, **{**said, **meaning})


def xarray_truth(path: Path, name: str, *, crs: str = "EPSG:4326", dtype: str | None = None, **meaning: float) -> Truth:
    """Read an array over time, y and x of a NetCDF file or Zarr store, undecoded."""
    kind = {"engine": "zarr"} if path.suffix == ".zarr" else {}
    with xarray.open_dataset(path, mask_and_scale=False, decode_times=False, **kind) as dataset:
        array = dataset[name]
        y_name, x_name = array.dims[-2:]
        x, y = dataset[x_name].values.astype(float), dataset[y_name].values.astype(float)
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


def open_place(place: Path) -> Archive:
    """Open a configuration, folder or file as `chronotile serve` does."""
    return open_archive(place, environment={"CHRONOTILE_SHARED": str(SHARED)}, clock=system_clock)


def client_of(archive: Archive) -> TestClient:
    """A client of the application that serves an archive; enter it to run it."""
    return TestClient(application(archive.services))
