"""The demo archive as a folder with cube, pictures, places and configuration, made once and completely."""

import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from chronotile.core.errors import InvalidParameter
from chronotile.core.machine import this_machine
from chronotile.demo.configuration import CONFIGURATION_TEXT
from chronotile.demo.cube import create_cube
from chronotile.demo.pictures import write_pictures
from chronotile.demo.places import write_places
from chronotile.demo.plan import DemoPlan
from chronotile.demo.scene import open_scene

FORMAT: Final = "chronotile-demo"
FORMAT_VERSION: Final = 6
"""Incremented with every change of the written files; archives of another version are made again."""

CUBE: Final = "biopar.zarr"
PICTURES: Final = "toc"
PLACES: Final = "places"
CONFIGURATION: Final = "demo.yaml"
PARTS: Final = (CUBE, PICTURES, PLACES, CONFIGURATION)
MARKER: Final = "chronotile-demo.json"
"""Marks the folder as a demo archive. It has the plan only if the archive is complete, which is then not made again."""

DemoProgress = Callable[[str, float], None]
"""Called with the current part and the finished fraction, 0 to 1."""

FIRST_STEP: Final = "landscape"
CUBE_SHARE: Final = 0.8
"""Fraction of the time that the cube takes."""


def make_demo(folder: Path, *, progress: DemoProgress | None = None, plan: DemoPlan | None = None) -> Path:
    """Return the configuration file of the demo archive in `folder`, after making the archive if it is missing.

    Everything is written into a temporary folder and moved when complete. Other files in `folder` are not touched.
    Parts of an outdated or partly moved demo archive are replaced.

    Args:
        folder: Created if it is missing.
        progress: Called with the current part and the finished fraction.
        plan: Size of the archive; tests use less than the default.

    Raises:
        InvalidParameter: The folder has other files under names of the archive.
    """
    plan = plan or DemoPlan()
    if not _is_complete(folder, plan):
        _refuse_foreign(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
            _write_archive(Path(partial), plan, progress or (lambda _what, _share: None))
            _move_in(Path(partial), folder)
    return folder / CONFIGURATION


def demo_at(folder: Path, *, plan: DemoPlan | None = None) -> Path | None:
    """Return the configuration file of the demo archive in `folder`; `None` if the archive is incomplete."""
    return folder / CONFIGURATION if _is_complete(folder, plan or DemoPlan()) else None


def _marker_text(plan: DemoPlan | None) -> str:
    # Text of the marker of a complete archive; `None` while its parts are moved.
    holds = None if plan is None else plan.describe()
    return json.dumps({"format": FORMAT, "version": FORMAT_VERSION, "plan": holds}, indent=2)


def _is_complete(folder: Path, plan: DemoPlan) -> bool:
    marker, configuration = folder / MARKER, folder / CONFIGURATION
    return marker.is_file() and configuration.is_file() and marker.read_text("utf-8") == _marker_text(plan)


def _refuse_foreign(folder: Path) -> None:
    """Raise if replacing an archive would delete files of another origin."""
    foreign = [name for name in PARTS if (folder / name).exists()]
    if foreign and not (folder / MARKER).is_file():
        raise InvalidParameter(
            f"the folder {folder.name!r} has a {foreign[0]} that is not a demo archive; name another folder",
            locator="dir",
        )


def _write_archive(folder: Path, plan: DemoPlan, progress: DemoProgress) -> None:
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
    """Move a complete archive into its folder; files of an older archive are replaced."""
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
