"""The files of an archive of made scenes: COGs of its tiles, and of the uncut raster in each zone."""

import atexit
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import rasterio.shutil
from rasterio.io import MemoryFile

from tests.scenes_archive import plan
from tests.scenes_archive.plan import Plan, Scene

TILES, UNCUT = "tiles", "uncut"
TIME_PATTERN = r"_(?P<time>\d{8})T"
"""Finds the day in the name of a file; the scenes of one day are then one instant."""
EXACT_TIME_PATTERN = r"_(?P<time>\d{8}T\d{6})_"
"""Finds the time."""


def path_of(scene: Scene, asset: str) -> str:
    """Return the file of an asset, below the archive's folder."""
    name = f"{scene.id}_{asset}.tif"
    return f"{UNCUT}/{scene.frame.zone}/{name}" if is_uncut(scene) else f"{TILES}/{scene.frame.id}/{scene.id}/{name}"


def is_uncut(scene: Scene) -> bool:
    """Return whether it is the whole raster of a zone."""
    return scene.frame.id.endswith("UNCUT")


@cache
def archive(wanted: Plan, *, uncut: tuple[int, ...] = (), uncut_assets: tuple[str, ...] = ()) -> Path:
    """The folder of the tiles of a plan, and of the uncut rasters of some zones; made once for all test processes.

    Without `uncut_assets`, the uncut rasters have all assets.
    """
    whole = (f"{UNCUT}-{zone}-{asset}" for zone in uncut for asset in uncut_assets or wanted.assets)
    for part in (TILES, *whole):
        made_once(wanted, part, lambda folder, part=part: _write_part(folder, wanted, part))
    return _room() / _digest(wanted)


def made_once(wanted: Plan, part: str, write: Callable[[Path], None], *, sources: tuple[str, ...] = ()) -> Path:
    """Return a path in the folder of an archive; the first process makes it with `write(folder)`.

    `sources` are modules of this folder on which the part depends, in addition to those of the archive.
    """
    folder = _room() / _digest(wanted)
    with _locked(folder):
        mark = folder / "made" / f"{part}-{_digest(wanted, *sources)}"
        if not mark.exists():
            write(folder)
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
    return folder / part


def write_asset(path: Path, scene: Scene, asset: str) -> None:
    """Write one asset of a scene as a COG, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(cog(scene.numbers(asset), scene, asset))
    beside.replace(path)


def cog(numbers: np.ndarray, scene: Scene, asset: str) -> bytes:
    """Return a COG of numbers (y, x): deflate, predictor 2, overviews by the nearest cell."""
    height, width = numbers.shape
    made = scene.plan
    with MemoryFile() as memory, MemoryFile() as copy:
        with memory.open(
            driver="GTiff",
            count=1,
            height=height,
            width=width,
            dtype=numbers.dtype,
            crs=scene.frame.crs,
            transform=scene.frame.transform(asset),
            nodata=0,
        ) as file:
            file.write(numbers, 1)
            if made.states_encoding and asset in plan.BANDS:
                (scale, offset) = scene.encoding(asset)
                file.scales, file.offsets = (scale,), (offset,)
        side = made.block_px * (2 if scene.frame.zone == 32 else 1)
        count = max(0, made.overviews - (plan.STEP_OF[asset] - 1))
        rasterio.shutil.copy(
            memory.name,
            copy.name,
            driver="COG",
            COMPRESS="DEFLATE",
            PREDICTOR="YES",
            LEVEL=1,
            BLOCKSIZE=side,
            OVERVIEW_COUNT=count,
            OVERVIEWS="AUTO" if count else "NONE",
            OVERVIEW_RESAMPLING="NEAREST",
        )
        return bytes(copy.getbuffer())


def _write_part(folder: Path, wanted: Plan, part: str) -> None:
    assets = wanted.assets
    if part == TILES:
        scenes = sorted(wanted.all_scenes(), key=lambda scene: scene.frame.id)  # one tile after the other
    else:
        _uncut, zone, *assets = part.split("-")
        scenes = [wanted.uncut_scene(int(zone), date) for date in range(len(wanted.days))]
    for scene in scenes:
        for asset in assets:
            write_asset(folder / path_of(scene, asset), scene, asset)


@cache
def _digest(wanted: Plan, *sources: str) -> str:
    """Return a digest of the plan and of its code: files by older code are never used."""
    here = Path(__file__).parent
    texts = [(here / name).read_bytes() for name in ("ground.py", "plan.py", "files.py", *sources)]
    return hashlib.blake2b(b"".join([repr(wanted).encode(), *texts]), digest_size=8).hexdigest()


@cache
def _room() -> Path:
    """Return the folder of archives: `$CHRONOTILE_TEST_SCENES`, which persists, or a folder of this test run."""
    if lasting := os.environ.get("CHRONOTILE_TEST_SCENES"):
        room = Path(lasting)
    elif run := os.environ.get("PYTEST_XDIST_TESTRUNUID"):
        room = Path(tempfile.gettempdir()) / f"chronotile-scenes-{run}"
    else:
        room = Path(tempfile.mkdtemp(prefix="chronotile-scenes-"))
        atexit.register(shutil.rmtree, room, ignore_errors=True)
    room.mkdir(parents=True, exist_ok=True)
    return room


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
