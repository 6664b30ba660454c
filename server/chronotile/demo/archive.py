"""The demo archive as a folder: cube, pictures, places and configuration, made once and whole."""

import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from chronotile.demo.configuration import CONFIGURATION_TEXT
from chronotile.demo.cube import create_cube
from chronotile.demo.pictures import write_pictures
from chronotile.demo.places import write_places
from chronotile.demo.plan import DemoPlan
from chronotile.demo.scene import open_scene
from chronotile.errors import InvalidParameter
from chronotile.machine import this_machine

FORMAT: Final = "chronotile-demo"
FORMAT_VERSION: Final = 6
"""Raised with every change of what is written; archives of another version are made again."""

CUBE: Final = "biopar.zarr"
PICTURES: Final = "toc"
PLACES: Final = "places"
CONFIGURATION: Final = "demo.yaml"
PARTS: Final = (CUBE, PICTURES, PLACES, CONFIGURATION)
MARKER: Final = "chronotile-demo.json"
"""Says that the folder is ours and, written last, what the whole archive in it holds, so that it is not made again."""

Progress = Callable[[str, float], None]
"""Called with what is being made and the share of it that is done, 0 to 1."""

FIRST_STEP: Final = "landscape"
CUBE_SHARE: Final = 0.8
"""Share of the time that the cube takes."""


def make_demo(folder: Path, *, progress: Progress | None = None, plan: DemoPlan | None = None) -> Path:
    """Return the configuration file of the demo archive in `folder`, making the archive unless it is there.

    Everything is written beside its place and moved there when whole; other files in `folder` are left alone. Parts of
    an archive of ours that is old or half moved are replaced.

    Args:
        folder: Made if absent.
        progress: Called with how far the work is.
        plan: What the archive holds; less than the default is for tests.

    Raises:
        InvalidParameter: The folder holds files under the names of the archive that are not ours.
    """
    plan = plan or DemoPlan()
    if not _is_complete(folder, plan):
        _refuse_foreign(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
            _write_archive(Path(partial), plan, progress or _say_nothing)
            _move_in(Path(partial), folder)
    return folder / CONFIGURATION


def demo_at(folder: Path) -> Path | None:
    """Return the configuration file of the demo archive in `folder`, if a whole one is there."""
    return folder / CONFIGURATION if _is_complete(folder, DemoPlan()) else None


def _say_nothing(_what: str, _share: float) -> None:
    pass


def _marker_text(plan: DemoPlan | None) -> str:
    """Return what the marker says of a whole archive, or of one that is being moved in."""
    holds = None if plan is None else plan.describe()
    return json.dumps({"format": FORMAT, "version": FORMAT_VERSION, "plan": holds}, indent=2)


def _is_complete(folder: Path, plan: DemoPlan) -> bool:
    marker, configuration = folder / MARKER, folder / CONFIGURATION
    return marker.is_file() and configuration.is_file() and marker.read_text("utf-8") == _marker_text(plan)


def _refuse_foreign(folder: Path) -> None:
    """Raise where replacing an archive would delete what is not one of ours."""
    foreign = [name for name in PARTS if (folder / name).exists()]
    if foreign and not (folder / MARKER).is_file():
        raise InvalidParameter(
            f"the folder {folder.name!r} has a {foreign[0]} that is not a demo archive; name another folder",
            locator="dir",
        )


def _write_archive(folder: Path, plan: DemoPlan, progress: Progress) -> None:
    progress(FIRST_STEP, 0.0)
    scene = open_scene(plan.grid)
    for share in create_cube(folder / CUBE, plan).write_years(scene):
        progress("cube", share * CUBE_SHARE)
    (folder / PICTURES).mkdir()
    write = partial(write_pictures, folder / PICTURES, scene, overviews=plan.levels - 1)
    with ThreadPoolExecutor(this_machine().cores, thread_name_prefix="demo") as pool:
        for number, _ in enumerate(pool.map(write, plan.picture_days), start=1):
            progress("pictures", CUBE_SHARE + (1 - CUBE_SHARE) * number / len(plan.picture_days))
    (folder / PLACES).mkdir()
    write_places(folder / PLACES, scene)
    (folder / CONFIGURATION).write_text(CONFIGURATION_TEXT, "utf-8")
    (folder / MARKER).write_text(_marker_text(plan), "utf-8")


def _move_in(partial: Path, folder: Path) -> None:
    """Move a whole archive into its folder, in place of what is left of an older one."""
    (folder / MARKER).write_text(_marker_text(None), "utf-8")
    for name in PARTS:
        _remove(folder / name)
        (partial / name).rename(folder / name)
    (partial / MARKER).replace(folder / MARKER)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
