"""Headers of cloud-optimised GeoTIFFs, compared with GDAL's reading of the same files."""

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.enums import Resampling

from chronotile.core.errors import UnsupportedSource
from chronotile.readers.cog.header import CogHeader, read_header
from chronotile.readers.kinds import open_source
from chronotile.readers.tiff import PAGE_BYTES, UnsupportedCog
from tests.readers.cog.made_tifs import KINDS, Kind, write_made
from tests.readers.cog.real_tifs import DECODED, OTHERS
from tests.scenes import make_spec


class Counting:
    """A file as `read_header` reads it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.reads: list[tuple[int, int]] = []

    def __call__(self, offset: int, count: int) -> bytes:
        self.reads.append((offset, count))
        return self.content[offset : offset + count]


def header_of(path) -> CogHeader:
    content = path.read_bytes()
    return read_header(Counting(content), len(content))


def levels_and_encodings(path):
    """Return levels and encodings from the reader through GDAL."""
    variables = open_source(make_spec("cog", path, variables={})).info.variables.values()
    return [(tuple(each.stored_levels.values()), each.encoding) for each in variables]


def levels_and_encodings_here(header):
    return [(header.levels(), header.encoding(band)) for band in range(1, header.count + 1)]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_levels_and_encodings_equal_those_of_gdal(kind, tmp_path):
    path = write_made(tmp_path, kind)

    assert levels_and_encodings_here(header_of(path)) == levels_and_encodings(path)


def test_levels_of_rounded_sizes_equal_those_of_gdal(tmp_path):
    path = write_made(tmp_path, Kind(overviews=(2, 4, 8)))

    assert header_of(path).levels() == levels_and_encodings(path)[0][0]


def test_nearest_mask_of_other_cells_is_left_to_gdal(tmp_path):
    path = write_made(tmp_path, Kind(has_mask=True))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.build_overviews((2, 4), Resampling.nearest)

    with pytest.raises(UnsupportedCog, match="other cells"):
        header_of(path)


@pytest.mark.data
@pytest.mark.parametrize("name", DECODED)
def test_levels_and_encodings_of_real_files_equal_those_of_gdal(name, shared_data):
    path = shared_data / name

    assert levels_and_encodings_here(header_of(path)) == levels_and_encodings(path)


@pytest.mark.data
@pytest.mark.parametrize("name", OTHERS)
def test_other_real_files_are_left_to_gdal(name, shared_data):
    with pytest.raises(UnsupportedCog):
        header_of(shared_data / name)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_stored_header_is_the_same(kind, tmp_path):
    header = header_of(write_made(tmp_path, kind))

    again = CogHeader.from_bytes(header.to_bytes())

    assert again.to_bytes() == header.to_bytes()
    assert levels_and_encodings_here(again) == levels_and_encodings_here(header)
    for one, other in zip((*again.images, *again.masks), (*header.images, *header.masks), strict=True):
        assert np.array_equal(one.offsets, other.offsets)
        assert np.array_equal(one.sizes, other.sizes)


CODES = (
    *(3035, 3067, 3395, 3413, 3857, 2154, 2180, 25832, 27700, 28992, 2056, 31370, 32631, 32760, 4171, 4258, 4269, 4326),
)
"""Codes of EPSG that are read here; some are north first, some have a shift of datum."""
OTHER_CODES = (7086, 2263, 4979)
"""Codes that are read by GDAL: longitude first, in feet, with heights."""


def write_placed(path, **place):
    """Write a small file at a location; `area_or_point` is the metadata item."""
    usual = {"crs": "EPSG:32631", "transform": Affine(2.5, 0, 10.1, 0, -3.3, 20.7)} | place
    kind = usual.pop("area_or_point", "Area")
    shape = {"width": 37, "height": 23, "count": 1, "dtype": "uint8"}
    options = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    with rasterio.open(path, "w", driver="GTiff", **shape, **options, **usual) as file:
        file.update_tags(AREA_OR_POINT=kind)
        file.write(np.ones((1, 23, 37), dtype=np.uint8))
    return path


@pytest.mark.parametrize("code", CODES)
def test_crs_equals_that_of_gdal(code, tmp_path):
    path = write_placed(tmp_path / "a.tif", crs=f"EPSG:{code}")

    assert levels_and_encodings_here(header_of(path)) == levels_and_encodings(path)


@pytest.mark.parametrize("code", OTHER_CODES)
def test_crs_with_more_than_its_code_is_left_to_gdal(code, tmp_path):
    with pytest.raises(UnsupportedCog):
        header_of(write_placed(tmp_path / "a.tif", crs=f"EPSG:{code}"))


@pytest.mark.parametrize("kind", ["Area", "Point"])
@pytest.mark.parametrize(
    "transform",
    [
        Affine(0.1, 0, 1 / 3, 0, -0.7, 2 / 3),
        Affine(3.1, 0.7, 10.3, 0.9, -2.7, 20.1),
        Affine(3.1, 0, 10.3, 0, 2.7, 20.1),
        Affine(-3.1, 0, 10.3, 0, -2.7, 20.1),
    ],
    ids=["north up", "rotated", "south up", "east left"],
)
def test_transform_equals_that_of_gdal(transform, kind, tmp_path):
    path = write_placed(tmp_path / "a.tif", transform=transform, area_or_point=kind)

    assert levels_and_encodings_here(header_of(path)) == levels_and_encodings(path)


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        *[("uint8", text) for text in ("255", "-9999", "1e3", "0", "12.5", "nan")],
        *[("float32", text) for text in ("nan", "-3.4e38", "-3.40282346638529e+38", "-9999.9", "inf", "-inf", "1e300")],
        *[("float64", text) for text in ("nan", "-1.7e308", "0.1")],
        *[("int64", text) for text in ("-9223372036854775808", "7")],
        *[("uint64", text) for text in ("18446744073709551615", "-1")],
    ],
)
def test_nodata_equals_that_of_gdal(dtype, nodata, tmp_path):
    path = write_made(tmp_path, Kind(dtype=dtype, nodata=1, compress="none"))
    content = path.read_bytes()
    content = _with_nodata(content, nodata.encode() + b"\0")
    path.write_bytes(content)

    assert header_of(path).encoding(1) == levels_and_encodings(path)[0][1]


def _with_nodata(content: bytes, text: bytes) -> bytes:
    """Return a little-endian classic TIFF whose tag of nodata, which the first directory has, has another text."""
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", content, at)[0] == 42113:
            text = text.ljust(5, b"\0")
            entry = struct.pack("<HHII", 42113, 2, len(text), len(content))
            return content[:at] + entry + content[at + 12 :] + text
    raise AssertionError


def test_header_at_the_front_is_one_read(tmp_path):
    write_made(tmp_path, Kind(overviews=(2, 4)))
    path = tmp_path / "cog.tif"
    rasterio.shutil.copy(tmp_path / "a.tif", path, driver="COG", blocksize=128, compress="deflate")
    content = path.read_bytes()
    file = Counting(content)

    read_header(file, len(content))

    assert file.reads == [(0, min(PAGE_BYTES, len(content)))]


@pytest.mark.slow
def test_header_of_a_scene_of_10980_pixels_is_stored_in_two_kilobytes(tmp_path):
    header = header_of(_large(tmp_path))

    assert sum(image.offsets.size for image in header.images) > 600
    assert len(header.to_bytes()) < 2048


def _large(folder):
    """Write a file of a scene's size; its blocks differ in size by some thousand bytes, as in real scenes."""
    path = folder / "large.tif"
    rng = np.random.default_rng(1)
    shape = {"width": 10980, "height": 10980, "count": 1, "dtype": "uint8"}
    options = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    place = {"crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5.7e6)}
    with rasterio.open(path, "w", driver="GTiff", **shape, **options, **place) as file:
        for (_row, _column), window in file.block_windows(1):
            noise = np.zeros((window.height, window.width), dtype=np.uint8)
            noise[0, : rng.integers(1, window.width)] = 1
            noise.flat[: rng.integers(1, 4000)] = rng.integers(0, 255)
            file.write(noise, 1, window=window)
    with rasterio.open(path, "r+") as file:
        file.build_overviews((2, 4, 8, 16))
    return path


@pytest.mark.parametrize("place", range(3, 400, 7))
def test_damaged_header_is_left_to_gdal_or_valid(place, tmp_path):
    content = bytearray(write_made(tmp_path, Kind(overviews=(2,), has_mask=True)).read_bytes())
    content[place] ^= 0xFF

    with suppress(UnsupportedSource):
        assert read_header(Counting(bytes(content)), len(content)).count >= 1


@pytest.mark.parametrize("tag", [257, 258, 322, 324, 325])
def test_header_with_fractions_is_left_to_gdal(tag, tmp_path):
    content = write_made(tmp_path).read_bytes()
    at = content.index(struct.pack("<H", tag), 8)
    content = content[: at + 2] + struct.pack("<H", 5) + content[at + 4 :]

    with pytest.raises(UnsupportedCog):
        read_header(Counting(content), len(content))


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.9])
def test_truncated_file_is_left_to_gdal(part, tmp_path):
    content = write_made(tmp_path).read_bytes()
    content = content[: int(len(content) * part)]

    with pytest.raises(UnsupportedCog):
        read_header(Counting(content), len(content))


@pytest.mark.parametrize(
    "stored",
    [b"", b"C2", b"C3", b"C3" + zlib.compress(b""), b"C3" + zlib.compress(b"\xff\xff\xff\xff{}")],
    ids=["nothing", "other version", "cut", "empty", "too short"],
)
def test_damaged_stored_header_is_an_error(stored):
    with pytest.raises(ValueError, match="header"):
        CogHeader.from_bytes(stored)


def test_missing_band_is_named(tmp_path):
    header = header_of(write_made(tmp_path, Kind(bands=2)))

    with pytest.raises(UnsupportedSource, match=r"no band 3; its bands are 1 to 2"):
        header.encoding(3)


@pytest.mark.parametrize(
    "options",
    [
        {"compress": "lzw"},
        {"compress": "lzma"},
        {"compress": "webp", "count": 3},
        {"tiled": False},
        {"dtype": "complex64"},
        {"nbits": 4},
        {"count": 4, "photometric": "rgb", "alpha": "yes"},
        {"count": 2, "alpha": "yes"},
        {"crs": None},
        {"crs": "+proj=laea +lat_0=10 +lon_0=20 +datum=WGS84"},
        {"crs": "EPSG:2225"},
    ],
    ids=str,
)
def test_file_of_another_kind_is_left_to_gdal(options, tmp_path):
    path = tmp_path / "a.tif"
    usual = {"width": 64, "height": 64, "count": 1, "dtype": "uint8", "tiled": True, "blockxsize": 32, "blockysize": 32}
    place = {"crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5.7e6), "compress": "deflate"}
    profile = usual | place | options
    with rasterio.open(path, "w", driver="GTiff", **profile) as file:
        file.write(np.zeros((profile["count"], 64, 64), dtype=profile["dtype"]))

    with pytest.raises(UnsupportedCog):
        header_of(path)
