"""The demo's true-colour pictures: a cloud-optimised GeoTIFF a day and band."""

from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray

from chronotile.demo.conventions import ATTRIBUTION, LICENSE
from chronotile.demo.plan import affine_of
from chronotile.demo.scene import FULL_SCALE, Scene
from chronotile.model.grid import Grid

BANDS: Final = ("RED", "GREEN", "BLUE")
BLOCK_PX: Final = 512


def write_pictures(folder: Path, scene: Scene, day: str, *, overviews: int) -> None:
    """Write `RED_YYYYMMDD.tif` and its fellows for one day into `folder`."""
    stamp = day.replace("-", "")
    for band, numbers in zip(BANDS, scene.true_colour(day), strict=True):
        _write_cog(folder / f"{band}_{stamp}.tif", numbers, scene.grid, overviews=overviews)


def _write_cog(path: Path, numbers: NDArray[np.uint16], grid: Grid, *, overviews: int) -> None:
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
        transform=affine_of(grid),
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
