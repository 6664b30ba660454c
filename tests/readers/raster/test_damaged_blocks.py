"""Damage that GDAL does not report: its numbers are never served."""

import struct

import numpy as np
import pytest
import rasterio

from chronotile.core.errors import ChronotileError, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from tests.odd_archives.files import NUMBERS, write_tif
from tests.scenes import make_spec

VALUES = np.tile(NUMBERS, (4, 4)).astype("uint8")
HEIGHT, WIDTH = VALUES.shape
TILED = {"tiled": True, "blockxsize": 16, "blockysize": 16}
JPEG = {**TILED, "compress": "jpeg"}


def read(path, level=0, **options):
    reader = open_source(make_spec("cog", path, variables={}, **options))
    (name,) = reader.info.variables
    grid = reader.info.variables[name].levels[level]
    return reader.read_window(name, index=0, level=level, window=Window(0, grid.height, 0, grid.width)).numbers


def block_of(path, column, row, level=None):
    """Offset and size of a block in its file."""
    options = {} if level is None else {"OVERVIEW_LEVEL": level}
    with rasterio.open(path, **options) as file:
        items = (file.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=1) for what in ("OFFSET", "SIZE"))
        return tuple(map(int, items))


def change(path, at, octets):
    data = bytearray(path.read_bytes())
    data[at : at + len(octets)] = octets
    path.write_bytes(data)


@pytest.mark.parametrize("layout", [TILED, {"blockysize": 8}], ids=["tiles", "strips"])
@pytest.mark.parametrize("predictor", [1, 2])
def test_deflated_block_with_another_checksum_is_refused(tmp_path, layout, predictor):
    path = write_tif(tmp_path / "a.tif", VALUES, dtype="uint8", compress="deflate", predictor=predictor, **layout)
    np.testing.assert_array_equal(read(path), VALUES)
    start, size = block_of(path, 0, 1)

    change(path, start + size - 1, b"\0\0"[:1])

    with pytest.raises(ChronotileError):
        read(path)


def test_overview_with_a_damaged_block_is_refused(tmp_path):
    path = write_tif(tmp_path / "a.tif", VALUES, dtype="uint8", compress="deflate", **TILED)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2])
    start, size = block_of(path, 0, 0, level=0)

    change(path, start + size - 1, b"\0")

    np.testing.assert_array_equal(read(path), VALUES)
    with pytest.raises(ChronotileError):
        read(path, level=1)


def test_pixels_of_a_band_interleaved_file_are_checked_band_by_band(tmp_path):
    bands = np.stack([VALUES, VALUES + 1])
    path = write_tif(tmp_path / "a.tif", bands, dtype="uint8", compress="deflate", interleave="pixel", **TILED)
    reader = open_source(make_spec("cog", path, variables={}))

    found = reader.read_window("band2", index=0, level=0, window=Window(0, HEIGHT, 0, WIDTH)).numbers

    np.testing.assert_array_equal(found, VALUES + 1)


@pytest.mark.parametrize("size", [(8, 16), (16, 8)], ids=["fewer rows", "fewer columns"])
def test_jpeg_of_fewer_pixels_than_its_tile_is_refused(tmp_path, size):
    path = write_tif(tmp_path / "a.tif", VALUES, dtype="uint8", **JPEG)
    assert read(path).shape == VALUES.shape
    start, length = block_of(path, 0, 0)
    frame = path.read_bytes()[start : start + length].index(b"\xff\xc0")

    change(path, start + frame + 5, struct.pack(">HH", *size))

    with pytest.raises(ChronotileError):
        read(path)


@pytest.mark.parametrize(
    ("tag", "as_tag"), [(325, 5), (324, 5), (322, 5)], ids=["no sizes", "no places", "no width of tiles"]
)
def test_tiff_without_a_table_of_its_blocks_is_refused(tmp_path, tag, as_tag):
    path = write_tif(tmp_path / "a.tif", VALUES, dtype="uint8", **TILED)
    data = path.read_bytes()
    entry = data.index(struct.pack("<H", tag), int.from_bytes(data[4:8], "little"))

    change(path, entry, struct.pack("<H", as_tag))

    with pytest.raises(UnsupportedSource, match="the table of its blocks does not fit its size"):
        read(path)


@pytest.mark.parametrize("position", [0.4, 0.7])
def test_png_with_another_checksum_is_refused(tmp_path, position):
    source = write_tif(tmp_path / "a.tif", VALUES, dtype="uint8")
    path = tmp_path / "a.png"
    rasterio.shutil.copy(source, path, driver="PNG")
    np.testing.assert_array_equal(read(path), VALUES)
    data = path.read_bytes()
    at = int(len(data) * position)

    change(path, at, bytes([data[at] ^ 1]))

    with pytest.raises(UnsupportedSource, match="a part of it is missing or has another checksum"):
        read(path)


def test_png_that_is_cut_off_is_refused(tmp_path):
    source = write_tif(tmp_path / "a.tif", VALUES, dtype="uint8")
    path = tmp_path / "a.png"
    rasterio.shutil.copy(source, path, driver="PNG")

    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(UnsupportedSource, match="a part of it is missing or has another checksum"):
        read(path)
