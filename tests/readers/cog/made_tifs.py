"""TIFFs of every kind that GDAL writes and that are read here by their block tables."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import Resampling

WIDTH, HEIGHT = 210, 150
TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")


@dataclass(frozen=True)
class Kind:
    """How a file is written."""

    dtype: str = "int16"
    compress: str = "deflate"
    predictor: int = 1
    bands: int = 1
    interleave: str = "band"
    block: tuple[int, int] = (64, 32)
    """Width and height."""
    endianness: str = "LITTLE"
    bigtiff: str = "NO"
    nodata: float | None = None
    has_mask: bool = False
    overviews: tuple[int, ...] = ()
    is_sparse: bool = False
    crs: str = "EPSG:32631"
    scale: float = 1.0
    offset: float = 0.0
    units: str | None = None

    def __str__(self) -> str:
        usual = Kind()
        names = self.__dataclass_fields__
        said = [f"{name}={getattr(self, name)}" for name in names if getattr(self, name) != getattr(usual, name)]
        return " ".join(said) or "usual"


def _predictors(dtype: str) -> tuple[int, ...]:
    return (1, 2, 3) if dtype.startswith("float") else (1, 2)


KINDS = tuple(
    dict.fromkeys(
        (
            # Each type with each predictor; byte orders and ways to store bands alternate.
            *(
                Kind(dtype=dtype, predictor=predictor, endianness=endianness, bands=2, interleave=interleave)
                for number, dtype in enumerate(TYPES)
                for predictor in _predictors(dtype)
                for endianness, interleave in (
                    (("LITTLE", "pixel"), ("BIG", "band")) if (number + predictor) % 2 else (("BIG", "pixel"),)
                )
            ),
            *(Kind(compress="none", dtype=dtype, endianness="BIG") for dtype in ("uint8", "int16", "float64")),
            *(Kind(compress="none", dtype=dtype) for dtype in ("int8", "uint16", "float32")),
            *(Kind(compress="zstd", dtype=dtype, predictor=2) for dtype in ("uint8", "uint16", "int32")),
            Kind(compress="zstd", dtype="float32", predictor=3, endianness="BIG"),
            *(
                Kind(block=block, overviews=(2, 4), has_mask=mask, bigtiff=big)
                for block in ((16, 16), (256, 256))
                for mask in (False, True)
                for big in ("NO", "YES")
            ),
            *(
                Kind(dtype=dtype, nodata=nodata, is_sparse=True, overviews=(2,), predictor=2)
                for dtype, nodata in (("uint8", 255), ("int16", -32768), ("float32", -9999.9), ("float64", np.nan))
            ),
            Kind(is_sparse=True, has_mask=True, bands=3, interleave="pixel"),
            Kind(is_sparse=True, bands=3, interleave="band"),
            Kind(dtype="uint16", scale=0.0001, offset=-0.1, nodata=0, units="m", bands=2),
            Kind(crs="EPSG:4326", overviews=(2, 4, 8)),
            Kind(crs="EPSG:3857"),
            Kind(crs="EPSG:3035"),
        )
    )
)


def numbers_of(kind: Kind) -> np.ndarray:
    """Return (band, y, x), equal for each kind: some smooth, some noisy, with all bits of the type."""
    rng = np.random.default_rng(7)
    dtype = np.dtype(kind.dtype)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    smooth = np.stack([rows * 3 + columns * 2 + 50 * band for band in range(kind.bands)])
    if dtype.kind == "f":
        return (np.sin(smooth / 97) * 1e3 + rng.normal(size=smooth.shape)).astype(dtype)
    noise = rng.integers(0, 1 << min(8 * dtype.itemsize, 63), size=smooth.shape, dtype=np.uint64)
    with np.errstate(over="ignore"):
        return np.where(columns < WIDTH // 2, smooth.astype(np.uint64), noise).astype(dtype)


def write_made(folder: Path, kind: Kind = Kind(), name: str = "a.tif") -> Path:
    """Return the path of a file of that kind."""
    path = folder / name
    is_geographic = kind.crs == "EPSG:4326"
    transform = Affine(0.01, 0, 3, 0, -0.01, 52) if is_geographic else Affine(10, 0, 500_000, 0, -10, 5_650_000)
    width, height = kind.block
    options = {
        "tiled": True,
        "blockxsize": width,
        "blockysize": height,
        "compress": kind.compress,
        "interleave": kind.interleave,
        "endianness": kind.endianness,
        "bigtiff": kind.bigtiff,
        **({"predictor": kind.predictor} if kind.compress != "none" else {}),
        "sparse_ok": kind.is_sparse,
    }
    shape = {"width": WIDTH, "height": HEIGHT, "count": kind.bands, "dtype": kind.dtype}
    numbers = numbers_of(kind)
    place = {"crs": kind.crs, "transform": transform, "nodata": kind.nodata}
    if kind.bands > 1:
        options["photometric"] = "minisblack"
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", **shape, **place, **options) as file,
    ):
        if kind.is_sparse:
            window = rasterio.windows.Window(0, 0, WIDTH // 2, HEIGHT // 2)
            file.write(numbers[:, : HEIGHT // 2, : WIDTH // 2], window=window)
        else:
            file.write(numbers)
        if kind.has_mask:
            rows, columns = np.mgrid[:HEIGHT, :WIDTH]
            file.write_mask((rows + columns) % 7 > 1)
        if (kind.scale, kind.offset) != (1, 0):
            file.scales, file.offsets = [kind.scale] * kind.bands, [kind.offset] * kind.bands
        if kind.units:
            file.units = [kind.units] * kind.bands
    if kind.overviews:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
            # The nearest numbers of rounded sizes are of other cells than the mask, and left to GDAL.
            file.build_overviews(kind.overviews, Resampling.mode if kind.has_mask else Resampling.nearest)
    return path


def described(kind: Kind, **changes) -> Kind:
    """Return a kind that is a little different."""
    return replace(kind, **changes)
