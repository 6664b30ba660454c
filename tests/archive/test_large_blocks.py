"""A block larger than the memory for large answers is refused at its opening; others are served."""

import numpy as np
import pytest
import rasterio
import zarr
from affine import Affine

from tests.odd_archives.files import write_tif

SIDE = 14_016
"""Side of a square of bytes slightly larger than 176 MiB; a multiple of 16."""


def write_tile(path, *, side, bands=1):
    """Write a raster of one tile without stored data."""
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=bands, dtype="uint8", crs="EPSG:32633", nodata=0,
        transform=Affine(10, 0, 500_000, 0, -10, 5_000_000), interleave="pixel", compress="deflate",
        tiled=True, blockxsize=side, blockysize=side, sparse_ok=True,
    ):  # fmt: skip
        pass


@pytest.mark.parametrize(("side", "bands"), [(SIDE, 1), (SIDE // 2, 4)], ids=["one band", "bands side by side"])
def test_raster_in_one_large_tile_is_skipped(tmp_path, open_at, side, bands):
    write_tif(tmp_path / "good.tif")
    write_tile(tmp_path / "odd.tif", side=side, bands=bands)

    archive = open_at(tmp_path)

    assert [layer.id for layer in archive.services.catalogue.layers] == ["good.band1"]
    (finding,) = [each for each in archive.findings if each.place == "odd.tif"]
    assert "takes 187 MiB, at most 176 MiB are accepted; tile it" in finding.message


def test_a_raster_in_one_tile_that_fits_is_served(tmp_path, open_at):
    write_tile(tmp_path / "odd.tif", side=SIDE // 2)

    assert [layer.id for layer in open_at(tmp_path).services.catalogue.layers] == ["odd.band1"]


def test_store_of_one_large_chunk_is_skipped(tmp_path, open_at):
    write_tif(tmp_path / "good.tif")
    group = zarr.open_group(tmp_path / "odd.zarr", mode="w", zarr_format=2)
    for name, start in (("y", 50.0), ("x", 3.0)):
        axis = group.create_array(name, shape=(SIDE,), dtype="f8")
        axis[:] = start + np.arange(SIDE) * 1e-3 * (-1 if name == "y" else 1)
        axis.attrs.update({"_ARRAY_DIMENSIONS": [name], "standard_name": {"y": "latitude", "x": "longitude"}[name]})
    array = group.create_array("v", shape=(SIDE, SIDE), chunks=(SIDE, SIDE), dtype="u1")
    array.attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]

    archive = open_at(tmp_path)

    assert [layer.id for layer in archive.services.catalogue.layers] == ["good.band1"]
    assert any("takes 187 MiB" in each.message and "smaller chunks" in each.message for each in archive.findings)
