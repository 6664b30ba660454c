"""The native grid of a raster file: its transform and CRS."""

from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import NativeGrid
from chronotile.readers.native_crs import require_on_earth, source_crs
from chronotile.readers.raster.bands import Dataset


def native_grid(dataset: Dataset, transform: Affine, crs: str | None) -> NativeGrid:
    """Return the grid of a file or overview.

    Args:
        dataset: An open rasterio dataset.
        transform: Of its pixels.
        crs: Configured CRS, which replaces the file's.

    Raises:
        UnsupportedSource: The file has no georeference, or an unsupported one.
    """
    _require_transform(dataset)
    grid = NativeGrid(crs=_crs_of(dataset, crs), transform=transform, width=dataset.width, height=dataset.height)
    require_on_earth(grid, most_px=1.0)  # tolerates a row too many, and corners stated instead of centres
    return grid


def _require_transform(dataset: Dataset) -> None:
    if dataset.transform != Affine.identity():
        if dataset.transform.is_degenerate:
            raise UnsupportedSource("its pixels have no area: the transform cannot be inverted")
        return
    if dataset.gcps[0]:
        raise UnsupportedSource("it is placed by ground control points only; warp it to a grid first (gdalwarp)")
    if dataset.rpcs:
        raise UnsupportedSource("it is placed by a sensor model (RPC) only; orthorectify it first (gdalwarp -rpc)")
    raise UnsupportedSource("it is not georeferenced: position and size of its pixels are missing")


def _crs_of(dataset: Dataset, configured: str | None) -> Crs:
    if configured is not None:
        return source_crs(configured)
    if not dataset.crs:
        raise UnsupportedSource("it names no coordinate reference system; set crs: for the source")
    return source_crs(dataset.crs.to_wkt())
