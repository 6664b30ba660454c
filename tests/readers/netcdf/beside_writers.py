"""Served HDF5 files neither prevent a writer from appending nor hide its changes; run by test_hdf5.py."""

import subprocess
import sys

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.upkeep import Upkeep
from chronotile.archive.live_archive import LiveArchive
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from tests.clock import Clock
from tests.scenes import Scene, make_dataset, make_spec, save_netcdf

SCENE = Scene(days=("2020-01-01", "2020-01-11"), gap=-1)
ALL = Window(0, SCENE.height, 0, SCENE.width)
pytestmark = pytest.mark.slow

APPEND = """
import sys
import h5netcdf
import numpy as np
path, number = sys.argv[1], int(sys.argv[2])
with h5netcdf.File(path, "a") as file:
    count = file.dimensions["time"].size
    file.resize_dimension("time", count + 1)
    file["time"][count] = file["time"][count - 1] + 240
    file["NDVI"][count] = np.full(file["NDVI"].shape[1:], number, dtype="uint8")
"""


HOLD = "import h5netcdf, sys; f = h5netcdf.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"


def growing_file(path):
    """Write the scene so that another program can append times."""
    dataset = make_dataset(SCENE)
    dataset.encoding["unlimited_dims"] = {"time"}
    return save_netcdf(dataset, path)


def test_writer_appends_to_a_served_file_and_it_is_seen(tmp_path):
    path = growing_file(tmp_path / "made.nc")
    live = LiveArchive.open(path, clock=Clock())
    upkeep = Upkeep(live, watch_s=0)
    with TestClient(application(live.services, ServerOptions(upkeep=upkeep))) as client:
        (layer,) = client.get("/layers").json()["layers"]
        box = layer["bbox"]
        lon, lat = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        url = f"/timeseries/{layer['id']}/point?lon={lon}&lat={lat}"
        before = client.get(url)

        for number in (7, 9):
            subprocess.run([sys.executable, "-c", APPEND, str(path), str(number)], check=True)
            upkeep.refresh_on_signal()

        after = client.get(url)
    assert before.json()["times"] == [f"{day}T00:00:00Z" for day in SCENE.days]
    assert after.json()["times"][2:] == ["2020-01-21T00:00:00Z", "2020-01-31T00:00:00Z"]
    expected = [number * SCENE.scale + SCENE.offset for number in (7, 9)]
    assert after.json()["values"][2:] == pytest.approx(expected, abs=1e-6)
    assert after.headers["etag"] != before.headers["etag"]


def test_append_is_seen_although_another_reader_has_the_file_open(tmp_path):
    path = growing_file(tmp_path / "made.nc")
    first = open_source(make_spec("netcdf", path))
    first.read_window("NDVI", index=0, level=0, window=ALL)

    subprocess.run([sys.executable, "-c", APPEND, str(path), "7"], check=True)
    second = open_source(make_spec("netcdf", path))

    assert (second.read_window("NDVI", index=2, level=0, window=ALL).numbers == 7).all()
    np.testing.assert_array_equal(first.read_window("NDVI", index=1, level=0, window=ALL).numbers, SCENE.numbers(1))


def test_open_writer_does_not_keep_a_file_from_being_read(tmp_path):
    path = growing_file(tmp_path / "made.nc")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout.readline() == b"open\n"

        reader = open_source(make_spec("netcdf", path))

        read = reader.read_window("NDVI", index=0, level=0, window=ALL).numbers
        writer.stdin.close()
    np.testing.assert_array_equal(read, SCENE.numbers(0))
