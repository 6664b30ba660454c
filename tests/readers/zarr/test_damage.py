"""Damage of Zarr stores that no library notices."""

from zipfile import ZIP_STORED, ZipFile

import numcodecs
import numpy as np
import pytest
import xarray

from chronotile.core.errors import ChronotileError
from chronotile.core.model.space.grid import Window
from chronotile.readers.library_errors import Damaged
from chronotile.readers.zarr.damage import guard_blosc
from chronotile.readers.zarr.source import open_zarr
from tests.scenes import Scene, make_dataset, make_spec, save_zarr

NUMBERS = np.random.default_rng(1).integers(0, 255, 256).astype("uint8")
WINDOW = Window(0, 8, 0, 8)


@pytest.mark.parametrize(("at", "byte"), [(7, 0x10), (4, 0x01), (12, 0xFF), (15, 0x01)])
def test_blosc_header_of_another_length_is_refused(at, byte):
    guard_blosc()
    stored = bytearray(numcodecs.Blosc("lz4").encode(NUMBERS))
    stored[at] = byte

    with pytest.raises(Damaged):
        numcodecs.Blosc().decode(bytes(stored))


def test_blosc_chunk_that_is_cut_off_is_refused():
    guard_blosc()

    with pytest.raises(Damaged):
        numcodecs.Blosc().decode(numcodecs.Blosc("zstd").encode(np.zeros(4096))[:12])


@pytest.mark.parametrize("numbers", [NUMBERS, np.arange(4096, dtype="float32")])
def test_whole_blosc_chunk_is_decoded(numbers):
    guard_blosc()

    assert numcodecs.Blosc().decode(numcodecs.Blosc("lz4").encode(numbers)) == numbers.tobytes()


def zipped(folder):
    """Write a store in a ZIP file, its members unchanged."""
    save_zarr(make_dataset(Scene()), folder / "a.zarr", version=3, NDVI={"chunks": (1, 16, 16), "compressors": None})
    with ZipFile(folder / "a.zarr.zip", "w", ZIP_STORED) as file:
        for path in sorted(each for each in (folder / "a.zarr").rglob("*") if each.is_file()):
            file.write(path, path.relative_to(folder / "a.zarr"))
    return folder / "a.zarr.zip"


def change(path, name, at):
    """Change a byte of a member, but not its checksum."""
    with ZipFile(path) as file:
        start = file.getinfo(name).header_offset + 30 + len(name) + at
    data = bytearray(path.read_bytes())
    data[start] ^= 1
    path.write_bytes(data)


def test_damaged_chunk_in_a_zip_file_is_not_served(tmp_path):
    path = zipped(tmp_path)
    change(path, "NDVI/c/0/0/0", 5)
    reader = open_zarr(make_spec("zarr", path))

    with pytest.raises(ChronotileError):
        reader.read_window("NDVI", index=0, level=0, window=WINDOW)


def test_times_without_the_damaged_chunk_of_a_zip_are_served(tmp_path):
    path = zipped(tmp_path)
    change(path, "NDVI/c/0/0/0", 5)
    reader = open_zarr(make_spec("zarr", path))
    truth = xarray.open_zarr(tmp_path / "a.zarr", consolidated=False, decode_cf=False)["NDVI"][1, :8, :8]

    pixels = reader.read_window("NDVI", index=1, level=0, window=WINDOW)

    np.testing.assert_array_equal(pixels.numbers, truth)


def test_damaged_document_in_a_zip_file_is_refused(tmp_path):
    path = zipped(tmp_path)
    change(path, "NDVI/zarr.json", 3)

    with pytest.raises(ChronotileError, match=r"checksum|CRC"):
        open_zarr(make_spec("zarr", path))
