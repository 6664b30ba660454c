"""True-colour pictures of the demo: one cloud-optimised GeoTIFF per day and band."""

from pathlib import Path
from typing import Final

import rasterio

from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import UInt16Array
from chronotile.demo.attributes import ATTRIBUTION, LICENSE
from chronotile.demo.scene import FULL_SCALE, DemoScene

BANDS: Final = ("RED", "GREEN", "BLUE")
BLOCK_PX: Final = 512


def write_pictures(folder: Path, scene: DemoScene, day: str, *, overviews: int) -> None:
    """Write `RED_YYYYMMDD.tif` and the two other bands of a day into `folder`."""
    stamp = day.replace("-", "")
    for band, numbers in zip(BANDS, scene.true_colour(day), strict=True):
        _write_cog(folder / f"{band}_{stamp}.tif", numbers, scene.grid, overviews=overviews)


def _write_cog(path: Path, numbers: UInt16Array, grid: Grid, *, overviews: int) -> None:
    """Write digital numbers (height, width), nodata 0."""
    with rasterio.open(
        path,
        "w",
        driver="COG",
        width=grid.width,
        height=grid.height,
        count=1,
        dtype="uint16",
        crs=grid.crs.name,
        transform=grid.transform,
        nodata=0,
        blocksize=BLOCK_PX,
        compress="DEFLATE",
        predictor="YES",
        overview_count=overviews,
        overview_resampling="AVERAGE",
    ) as file:
        file.write(numbers, 1)
        file.update_tags(
            TIFFTAG_IMAGEDESCRIPTION=f"Synthetic surface reflectance x {FULL_SCALE}. {ATTRIBUTION}",
            TIFFTAG_COPYRIGHT=LICENSE,
        )
