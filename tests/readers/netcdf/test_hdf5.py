"""HDF5 files with filters that are not installed, without values, in formats that are not read, and with a writer."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from chronotile.readers.netcdf.hdf5 import MAX_ARRAYS
from tests.scenes import Scene, make_dataset, make_spec, save_netcdf, write_netcdf

SCENE = Scene(days=("2020-01-01", "2020-01-11"), gap=-1)
ALL = Window(0, SCENE.height, 0, SCENE.width)
UNKNOWN_FILTER = 32_700


def with_filter(path, number):
    """Add an array like NDVI whose chunks need a filter; nothing is written into them."""
    with h5py.File(path, "a") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((1, SCENE.height, SCENE.width))
        properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((2, SCENE.height, SCENE.width))
        array = h5py.Dataset(h5py.h5d.create(file.id, b"LAI", h5py.h5t.NATIVE_UINT8, space, dcpl=properties))
        for axis, name in enumerate(("time", "y", "x")):
            array.dims[axis].attach_scale(file[name])
        array.attrs["grid_mapping"] = "spatial_ref"
    return path


def test_array_with_an_unknown_filter_is_skipped_with_its_number(tmp_path):
    write_netcdf(tmp_path, SCENE)

    reader = open_source(make_spec("netcdf", with_filter(tmp_path / "made.nc", UNKNOWN_FILTER), variables={}))

    assert list(reader.info.variables) == ["NDVI"]
    (finding,) = (each for each in reader.info.findings if each.place == "LAI")
    assert finding.message.startswith("it is compressed with HDF5 filter 32700, which no library here undoes; ")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), [(32015, "Zstandard"), (32001, "Blosc"), (32004, "LZ4"), (32008, "Bitsh")])
def test_missing_filter_is_named_with_its_extra(tmp_path, number, name):
    write_netcdf(tmp_path, SCENE)
    path = with_filter(tmp_path / "made.nc", number)
    program = (
        "import sys; sys.modules['hdf5plugin'] = None; from pathlib import Path\n"
        "from chronotile.readers.netcdf.hdf5 import survey_hdf5; print(survey_hdf5(Path(sys.argv[1])).faults['LAI'])"
    )

    said = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)

    assert said.stdout.startswith(f"it is compressed with {name}")
    assert f"(HDF5 filter {number}), which needs hdf5plugin: pip install 'chronotile[hdf5]'" in said.stdout


@pytest.mark.parametrize(
    "codec",
    [hdf5plugin.Zstd(), hdf5plugin.Blosc(), hdf5plugin.LZ4(), hdf5plugin.Bitshuffle(), hdf5plugin.BZip2()],
    ids=lambda codec: type(codec).__name__,
)
def test_arrays_compressed_by_plugins_have_their_values(tmp_path, codec):
    dataset = make_dataset(SCENE)
    dataset["NDVI"].encoding = {"chunksizes": (1, 8, 8), **codec}
    path = save_netcdf(dataset, tmp_path / "made.nc")

    reader = open_source(make_spec("netcdf", path))

    read = partial(reader.read_window, "NDVI", level=0, window=ALL)
    np.testing.assert_array_equal(np.stack([read(index=t).numbers for t in range(2)]), SCENE.cube())


@pytest.mark.parametrize("version", [3, 4])
def test_array_without_time_steps_is_refused_as_empty(tmp_path, version):
    dataset = make_dataset(SCENE).isel(time=slice(0))
    dataset["NDVI"] = dataset["NDVI"].astype("int16").assign_attrs(_FillValue=np.int16(255))
    path = save_netcdf(dataset, tmp_path / "made.nc", version=version)

    with pytest.raises(UnsupportedSource, match="it has no values yet: its dimension time has the length 0"):
        open_source(make_spec("netcdf", path, variables={}))


def test_format_cdf_5_is_named_with_the_remedy(tmp_path):
    (tmp_path / "made.nc").write_bytes(b"CDF\5" + bytes(40))

    with pytest.raises(UnsupportedSource, match=r"format CDF-5 \(64-bit data\), which is not read; .*nccopy -k nc4"):
        open_source(make_spec("netcdf", tmp_path / "made.nc"))


@pytest.mark.slow
def test_files_are_read_during_writes():
    """It runs in a separate process: other readers than the server's lock files by HDF5's default."""
    others = {name: value for name, value in os.environ.items() if name != "HDF5_USE_FILE_LOCKING"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(Path(__file__).with_name("beside_writers.py")),
    ]

    done = subprocess.run(
        command,
        env={**others, "CHRONOTILE_TEST_LOCKS": "1", "CHRONOTILE_TEST_FULL": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "3 passed" in done.stdout) == (0, True), done.stdout


def test_heap_that_hdf5_does_not_come_back_from_is_refused(tmp_path):
    write_netcdf(tmp_path, SCENE)
    path = tmp_path / "made.nc"
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL")
    data[heap + 16 : heap + 32] = bytes(16)
    path.write_bytes(data)

    with pytest.raises(UnsupportedSource, match="a heap of its attributes contradicts itself"):
        open_source(make_spec("netcdf", path))


def test_chunks_that_a_filter_does_not_undo_name_the_filter(tmp_path):
    write_netcdf(tmp_path, SCENE)
    path = with_filter(tmp_path / "made.nc", hdf5plugin.Zstd.filter_id)
    with h5py.File(path, "a") as file:
        for time in range(2):
            file["LAI"].id.write_direct_chunk((time, 0, 0), b"compressed by another library" * 8)

    reader = open_source(make_spec("netcdf", path, variables={}))

    (finding,) = (each for each in reader.info.findings if each.place == "LAI")
    assert finding.message.startswith("its chunks are not those of Zstandard (HDF5 filter 32015); write the file again")


def test_chunk_smaller_than_its_checksum_is_damage(tmp_path):
    write_netcdf(tmp_path, SCENE)
    path = with_filter(tmp_path / "made.nc", h5py.h5z.FILTER_FLETCHER32)
    with h5py.File(path, "a") as file:
        for time in range(2):
            file["LAI"].id.write_direct_chunk((time, 0, 0), b"ab")

    reader = open_source(make_spec("netcdf", path, variables={}))

    (finding,) = (finding for finding in reader.info.findings if finding.place == "LAI")
    assert finding.message.startswith("it is damaged: a chunk is smaller than its checksum")


def test_file_of_very_many_arrays_is_refused(tmp_path):
    with h5py.File(tmp_path / "many.nc", "w") as file:
        for number in range(MAX_ARRAYS + 1):
            file.create_dataset(f"v{number}", shape=(1,), dtype="u1")

    with pytest.raises(
        UnsupportedSource, match=rf"has {MAX_ARRAYS + 1} arrays and groups, .* {MAX_ARRAYS} are accepted"
    ):
        open_source(make_spec("netcdf", tmp_path / "many.nc", variables={}))
