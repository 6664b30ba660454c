"""The commands `chronotile optimise new`, `update` and `verify`, and their memory."""

import os
import re
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import xarray
import zarr
from pyproj import CRS
from typer.testing import CliRunner

from chronotile.cli.main import app
from chronotile.core.errors import ChronotileError
from chronotile.core.machine import Machine
from chronotile.optimise.conversion import Packing
from chronotile.optimise.memory import default_memory, parse_bytes
from tests.optimise.conftest import numbers_of
from tests.scenes import Scene, write_cogs

SIDE, DATES = 2600, 36


def run(*words):
    return CliRunner().invoke(app, ["optimise", *map(str, words)])


def test_command_writes_and_reports(tifs, target, scene):
    result = run("new", *tifs[:6], target, "--layout", "both", "--workers", 1, "--memory", "1GiB")
    verified = run("verify", *tifs[:6], target)

    assert result.exit_code == 0, result.output
    assert "6 dates added, 0 replaced" in result.output
    assert verified.exit_code == 0, verified.output
    assert "every number is the same" in verified.output
    np.testing.assert_array_equal(numbers_of(target), scene.cube()[:6])


def test_cube_is_written_and_read_at_a_path_with_dots(tifs, target, scene):
    roundabout = target.parent / "cubes" / ".." / target.name
    (target.parent / "cubes").mkdir()

    result = run("new", *tifs, roundabout, "--layout", "both")
    verified = run("verify", *tifs, roundabout)
    checked = CliRunner().invoke(app, ["check", str(roundabout)])

    assert result.exit_code == 0, result.output
    assert verified.exit_code == 0, verified.output
    assert checked.exit_code == 0, checked.output
    np.testing.assert_array_equal(numbers_of(target), scene.cube())


def test_too_little_memory_is_refused_before_anything_is_begun(tifs, target):
    refused = run("new", *tifs, target, "--memory", "1MiB")

    begun = run("new", *tifs, target)

    assert (refused.exit_code, begun.exit_code) == (1, 0), begun.output
    assert "--memory is too small" in refused.output


def test_command_packs_values(tifs, target):
    run("new", *tifs, target, "--layout", "map", "--dtype", "int16", "--scale", 0.0001)

    stored = xarray.open_zarr(target, mask_and_scale=False)["NDVI"]
    assert (stored.dtype, stored.attrs["scale_factor"]) == ("int16", 0.0001)


@pytest.mark.parametrize("memory_bytes", [64 << 30, 2 << 30])
def test_two_gib_are_used_if_available(memory_bytes):
    assert default_memory(Machine(cores=2, memory_bytes=memory_bytes)) == (2 << 30, ())


def test_half_of_a_small_memory_stays_free_and_this_is_reported():
    held, (note,) = default_memory(Machine(cores=2, memory_bytes=(2 << 30) - 2))

    assert held == (1 << 30) - 1
    assert note == "holding at most 1023MiB, half of this machine's memory; --memory changes it"


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["absent.tif", "a.zarr"], 1, "absent.tif does not exist"),
        (["a.zarr"], 2, "Missing argument"),
        (["a.tif", "b.zarr", "--memory", "much"], 1, "not a size"),
        (["a.tif", "b.zarr", "--dtype", "float32"], 1, "not an integer type"),
        (["a.tif", "b.zarr", "--layout", "diagonal"], 2, "diagonal"),
    ],
    ids=["absent", "no source", "memory", "dtype", "layout"],
)
def test_mistakes_are_reported_in_one_line(words, code, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = run("new", *words)

    assert result.exit_code == code
    assert reason in result.output


@pytest.mark.parametrize(
    "words", [("a.tif", "b.zarr"), ("--config", "a.yaml", "--collection", "s2", "b.zarr"), ("a.yaml", "b", "--cubes")]
)
def test_arguments_without_a_command_are_refused_in_one_line(words):
    result = run(*words)

    assert result.exit_code == 2
    assert result.output.startswith(
        f"chronotile: optimise has no command {words[0]}: chronotile optimise new SOURCE..."
    )
    assert result.output.count("\n") == 1


def test_update_adds_dates_to_an_existing_cube(tifs, target, scene):
    run("new", *tifs[:5], target, "--layout", "both")

    result = run("update", *tifs, target)

    assert result.exit_code == 0, result.output
    assert "2 dates added, 0 replaced" in result.output
    np.testing.assert_array_equal(numbers_of(target), scene.cube())


def test_new_refuses_an_existing_cube(tifs, target):
    run("new", *tifs[:5], target)

    result = run("new", *tifs, target)

    assert result.exit_code == 1
    assert "cube.zarr exists: chronotile optimise update writes new and changed dates to it" in result.output


@pytest.mark.parametrize("command", ["update", "verify"])
def test_missing_cube_is_refused(tifs, target, command):
    result = run(command, *tifs, target)

    assert (result.exit_code, result.output) == (
        1,
        "chronotile: cube.zarr is not a serving cube; chronotile optimise new writes one\n",
    )
    assert not target.exists()


def test_refused_update_leaves_no_interrupted_run(tifs, target, write, tmp_path):
    write(tifs)
    other = tmp_path / "other"
    other.mkdir()
    write_cogs(other, Scene(width=40, height=30))

    refused = run("update", other, target)

    assert refused.exit_code == 1
    assert "name another cube" in refused.output
    assert run("update", *tifs, target).exit_code == 0


def test_packed_cube_is_verified_without_its_packing(tifs, target):
    run("new", *tifs, target, "--dtype", "int16", "--scale", 0.01)

    result = run("verify", *tifs, target)

    assert result.exit_code == 0, result.output
    assert "NDVI to the rounding of their type" in result.output


def test_configuration_is_refused_with_the_accepted_sources(tmp_path):
    (tmp_path / "my.yaml").write_text("collections: {a: {source: {kind: cog, href: 'a_*.tif'}}}")

    result = run("new", str(tmp_path / "my.yaml"), str(tmp_path / "b.zarr"))

    assert result.exit_code == 1
    assert "my.yaml is a configuration: name the files, folder or store that its href names" in result.output
    assert "--config my.yaml --collection ID" in result.output


@pytest.mark.parametrize(
    ("text", "count"), [("2GiB", 2 << 30), ("512 mib", 512 << 20), ("1.5GB", 1_500_000_000), ("1000", 1000)]
)
def test_sizes_are_read(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GiB", "2 TiB", "-1GiB"])
def test_invalid_size_is_refused(text):
    with pytest.raises(ChronotileError):
        parse_bytes(text)


def write_floats(path, side, dates):
    """Return a store of floats in chunks of all dates."""
    root = zarr.open_group(path, mode="w", zarr_format=3)
    values = root.create_array(
        "v",
        shape=(dates, side, side),
        chunks=(dates, 512, 512),
        dtype="float32",
        fill_value=float("nan"),
        dimension_names=("time", "y", "x"),
        attributes={"grid_mapping": "spatial_ref"},
    )
    row = np.arange(side, dtype="float32")
    for start in range(0, side, 512):
        rows = np.arange(start, min(start + 512, side), dtype="float32")
        values[:, start : start + 512] = np.arange(dates)[:, None, None] + rows[:, None] + row
    root.create_array("spatial_ref", shape=(), dtype="int32", attributes={"crs_wkt": CRS.from_epsg(32631).to_wkt()})
    axes = {"time": ("days since 2020-01-01", np.arange(dates)), "x": ("m", row * 10), "y": ("m", -row * 10)}
    for name, (units, numbers) in axes.items():
        root.create_array(name, data=numbers, dimension_names=(name,), attributes={"units": units})
    return path


def test_verify_reports_that_xarray_cannot_open_the_store(tmp_path, write, target):
    source = write_floats(tmp_path / "floats.zarr", side=8, dates=2)
    zarr.open_array(source / "v").attrs["_FillValue"] = -1.0  # as several writers have it; xarray takes base64 alone
    write(source)

    result = run("verify", source, target)

    assert result.exit_code == 1
    assert "the cube cannot be verified: xarray cannot open floats.zarr" in result.output


@pytest.fixture
def large(tmp_path):
    """More floats than the memory that is allowed, in chunks of all dates."""
    return write_floats(tmp_path / "large.zarr", SIDE, DATES)


@pytest.mark.parametrize("layout", ["map", "series"])
def test_values_of_many_dates_are_packed_in_the_memory_of_the_packed_numbers(layout, tmp_path, write, target):
    side, dates = 256, 64
    source = write_floats(tmp_path / "floats.zarr", side, dates)
    write(source, layout=layout, block=dates, packing=Packing(dtype="uint8", scale=10.0, offset=0.0))
    shutil.rmtree(target)
    tracemalloc.start()

    try:
        write(source, layout=layout, block=dates, packing=Packing(dtype="uint8", scale=10.0, offset=0.0))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 * dates * side**2  # the floats alone take 4 bytes per cell; with the memory of packing it was 30


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_stays_within_its_bound(large, target):
    code = (
        "from pathlib import Path; from chronotile.cli.main import app\n"
        "try: app()\n"
        "finally: print(Path('/proc/self/status').read_text())"
    )
    words = ["optimise", "new", str(large), str(target), "--memory", "800MiB", "--workers", "2"]

    done = subprocess.run(
        [sys.executable, "-c", code, *words], check=True, capture_output=True, text=True, env=dict(os.environ)
    )

    assert f"{DATES} dates added" in done.stdout
    peak_kib = int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1])  # ru_maxrss would begin with this process's own
    assert peak_kib < 800 << 10
