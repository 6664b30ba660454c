"""A run that fails or is killed at any write, fsync or rename leaves visible data intact and can be resumed."""

import errno
import os
import shutil

import numpy as np
import pytest
import rasterio

from chronotile.core.durable_files import Disk
from chronotile.core.errors import SourceUnavailable, UnsupportedSource, WriteFailed
from chronotile.optimise.conversion import Packing
from tests.optimise.conftest import COORDINATES, numbers_of


class Killed(BaseException):
    """Simulates the end of the process: no code runs after it."""


class FailingDisk(Disk):
    """Fails at the operation of a number, counted from 0; a write then leaves half of its bytes behind."""

    def __init__(self, at: int | None, error: BaseException | None = None) -> None:
        self._at = at
        self._error = error
        self.done = []

    @property
    def count(self):
        return len(self.done)

    def write(self, descriptor, data):
        if self._is_due("write"):
            os.write(descriptor, data[: len(data) // 2])
            raise self._error
        super().write(descriptor, data)

    def fsync(self, descriptor):
        if self._is_due("fsync"):
            raise self._error
        super().fsync(descriptor)

    def rename(self, source, target):
        if self._is_due("rename"):
            raise self._error
        super().rename(source, target)

    def _is_due(self, operation):
        self.done.append(operation)
        return self.count - 1 == self._at


def every(count, failure):
    """Return each of `count` operations; or fewer, evenly spread, alternating between the failures."""
    points = sorted({round(each) for each in np.linspace(0, count - 1, min(count, MOST))})
    return points if count <= MOST else points[list(FAILURES.values()).index(failure) :: len(FAILURES)]


def operations_of(work):
    disk = FailingDisk(None)
    work(disk)
    return disk.count


FAILURES = {
    "full": OSError(errno.ENOSPC, "No space left on device"),
    "broken": OSError(errno.EIO, "Input/output error"),
    "killed": Killed(),
}
MOST = int(os.environ.get("CHRONOTILE_FAILPOINTS", "25"))
"""Number of failing operations, each with one failure; if there are fewer, each is combined with all failures."""


@pytest.fixture(params=FAILURES, ids=str)
def failure(request):
    return FAILURES[request.param]


def fails(work, disk):
    with pytest.raises((WriteFailed, Killed)):
        work(disk)


@pytest.mark.slow
def test_first_run_resumed_after_each_failure_has_all_numbers(failure, tifs, target, write, scene, tmp_path):
    count = operations_of(lambda disk: write(tifs[:6], disk=disk))
    for at in every(count, failure):
        target.rename(tmp_path / f"before-{at}.zarr")

        fails(lambda disk: write(tifs[:6], disk=disk), FailingDisk(at, failure))
        write(tifs[:6], resume=True)

        np.testing.assert_array_equal(numbers_of(target), scene.cube()[:6])


@pytest.mark.slow
def test_append_that_failed_shows_the_old_state_or_the_new(failure, tifs, target, write, scene, tmp_path):
    write(tifs[:5])
    shutil.copytree(target, tmp_path / "five.zarr")
    count = operations_of(lambda disk: write(tifs[5:6], disk=disk))
    for at in every(count, failure):
        shutil.rmtree(target)
        shutil.copytree(tmp_path / "five.zarr", target)

        fails(lambda disk: write(tifs[5:6], disk=disk), FailingDisk(at, failure))
        seen = numbers_of(target)
        write(tifs[5:6], resume=True)

        np.testing.assert_array_equal(seen, scene.cube()[: len(seen)])
        assert len(seen) in {5, 6}
        np.testing.assert_array_equal(numbers_of(target), scene.cube()[:6])


@pytest.mark.parametrize(("after_the_rename", "dates"), [(0, 1), (1, 2)], ids=["at the rename", "after it"])
def test_the_last_rename_of_an_append_makes_it_visible(tifs, target, write, scene, after_the_rename, dates):
    write(tifs[:1])
    shutil.copytree(target, target.with_name("other.zarr"))
    whole = FailingDisk(None)
    write(tifs[1:2], disk=whole)
    last_rename = whole.count - 1 - whole.done[::-1].index("rename")
    shutil.rmtree(target)
    target.with_name("other.zarr").rename(target)

    fails(lambda disk: write(tifs[1:2], disk=disk), FailingDisk(last_rename + after_the_rename, FAILURES["killed"]))

    np.testing.assert_array_equal(numbers_of(target), scene.cube()[:dates])


@pytest.mark.slow
def test_replacement_that_failed_shows_the_old_numbers_or_the_new(
    failure, tifs, target, write, scene, rewrite_date, tmp_path
):
    write(tifs[:6])
    shutil.copytree(target, tmp_path / "before.zarr", copy_function=shutil.copy2)
    old, new = scene.cube()[:6], scene.cube()[:6]
    new[2], new[5] = rewrite_date(tifs[2], scene, 2), rewrite_date(tifs[5], scene, 5)
    count = operations_of(lambda disk: write(tifs[:6], disk=disk))
    for at in every(count, failure):
        shutil.rmtree(target)
        shutil.copytree(tmp_path / "before.zarr", target)

        fails(lambda disk: write(tifs[:6], disk=disk), FailingDisk(at, failure))
        seen = numbers_of(target)
        write(tifs[:6], resume=True)

        assert np.array_equal(seen, old) or np.array_equal(seen, new)
        np.testing.assert_array_equal(numbers_of(target), new)


def test_interrupted_run_must_be_resumed(tifs, target, write):
    fails(lambda disk: write(tifs, disk=disk), FailingDisk(30, FAILURES["full"]))

    with pytest.raises(UnsupportedSource, match="use --resume"):
        write(tifs)


def test_full_disk_is_reported_in_one_line(tifs, target, write):
    with pytest.raises(WriteFailed, match=r"cube\.zarr could not be written: No space left on device"):
        write(tifs, disk=FailingDisk(30, FAILURES["full"]))


def test_damaged_file_is_named_with_the_remedy(tifs, write):
    damaged = tifs[1]
    with rasterio.open(damaged) as file:
        profile, numbers = file.profile, file.read()
    with rasterio.open(damaged, "w", **{**profile, "driver": "GTiff", "compress": "deflate"}) as file:
        file.write(numbers)
    with damaged.open("r+b") as file:
        file.seek(-200, os.SEEK_END)
        file.write(b"\xff" * 200)

    with pytest.raises(SourceUnavailable) as failed:
        write(tifs)

    assert failed.value.message.startswith(f"{damaged.name}: ")
    assert failed.value.message.endswith("; replace what is damaged, or leave it out, then run again with --resume")


def test_resumed_run_does_not_repeat_finished_work(tifs, target, write):
    whole = operations_of(lambda disk: write(tifs, disk=disk))
    target.rename(target.with_name("other.zarr"))
    fails(lambda disk: write(tifs, disk=disk), FailingDisk(whole * 2 // 3, Killed()))

    reports = []
    rest = operations_of(lambda disk: reports.append(write(tifs, disk=disk, resume=True)))

    assert rest < whole * 3 // 4
    assert reports[0].files == 7 - 4 + 1  # the first block was committed, and the second one reports all files


def test_resumed_run_uses_nothing_of_one_with_other_numbers(tifs, target, write, scene):
    packed = {"packing": Packing(dtype="uint8", scale=0.008, offset=-0.08), "layout": "map"}
    whole = operations_of(lambda disk: write(tifs[:3], disk=disk, **packed))
    shutil.rmtree(target)
    fails(lambda disk: write(tifs[:3], disk=disk, **packed), FailingDisk(whole * 2 // 3, Killed()))

    write(tifs[:3], resume=True, layout="map")

    np.testing.assert_array_equal(numbers_of(target), scene.cube()[:3])


def test_nothing_of_the_run_remains(tifs, target, write):
    write(tifs)

    assert not [path for path in target.rglob("*") if path.name.endswith(".part") or ".optimise" in path.parts]


def test_overlay_that_took_its_place_already_leaves_nothing_behind(tifs, target, write, scene, rewrite_date):
    write(tifs)
    expected = scene.cube()
    expected[2] = rewrite_date(tifs[2], scene, 2)
    whole = operations_of_replacement(write, tifs, target)
    fails(lambda disk: write(tifs, disk=disk), FailingDisk(whole - 3, Killed()))

    write(tifs, resume=True)

    assert not list(target.rglob("*.part"))
    assert not (target / "overlay").exists()
    np.testing.assert_array_equal(numbers_of(target), expected)


def operations_of_replacement(write, tifs, target):
    """Counted on a copy, which is then put back."""
    shutil.copytree(target, target.with_name("copy.zarr"))
    count = operations_of(lambda disk: write(tifs, disk=disk))
    shutil.rmtree(target)
    target.with_name("copy.zarr").rename(target)
    return count


def test_resumed_run_keeps_the_layout_that_was_begun(tifs, target, write):
    fails(lambda disk: write(tifs, layout="map", disk=disk), FailingDisk(40, Killed()))

    write(tifs, layout=None, resume=True)

    assert {path.name for path in target.iterdir() if path.is_dir()} == {"NDVI", "sources", *COORDINATES}
