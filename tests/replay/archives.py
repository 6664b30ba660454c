"""Archives of the recording, made below the current folder, because some documents depend on the location of data."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from chronotile.demo import DemoPlan, make_demo
from tests.odd_archives.every import EVERY
from tests.replay import fixed
from tests.scenes_archive.files import TIME_PATTERN
from tests.scenes_archive.forms import Source, own_copy
from tests.scenes_archive.plan import TINY
from tests.scenes_archive.serving import write_configuration

PLAN = DemoPlan(size_px=200, first_day="2022-01-01", dekads=72, levels=2, picture_days=("2024-06-01",))
"""Archive for the requests of the documentation."""
MADE_S = 1_767_225_600
"""2026-01-01: when all files were modified last."""
SMALL_PLAN = DemoPlan(size_px=60, first_day="2023-01-01", dekads=12, levels=2, picture_days=("2024-06-01",))
"""Archive for the demo in commands."""
ODD = (
    *("encodings: nodata of each file", "names: many odd names", "stores: a truncated file"),
    *("stores: formula, mask and composite", "stores: NetCDF of several variables", "stores: palette"),
    *("stores: places", "stores: Zarr 3", "systems: north pole", "systems: world of 0 to 360"),
    *("times: calendar 360_day", "times: gaps"),
)
FILES = f"""
  files:
    source: {{kind: cog, href: 'tiles/*/*/*_{{variable}}.tif', tiles: true, time_pattern: '{TIME_PATTERN}'}}
    variables: {{B04: {{layer: F04, styles: [reflectances]}}, SCL: {{layer: FSCL, styles: [cells]}}}}
"""


def _scenes(folder: Path) -> Path:
    """Scenes of static STAC, and the same files without it."""
    root = own_copy(folder, TINY)
    return write_configuration(folder, Source("stac", Path(root.href).name), uncut=FILES)


ARCHIVES: Mapping[str, Callable[[Path], Path] | None] = {
    "catalogue": None,  # of the tests of broken requests, without files
    "demo": lambda folder: make_demo(folder / "demo", plan=PLAN),
    "scenes": _scenes,
    **{name: EVERY[name] for name in ODD},
}
"""Their makers: each writes into an empty folder, and returns the path to serve."""


def folder_of(name: str) -> Path:
    """Return the folder of an archive, or of its bodies."""
    return Path(re.sub(r"\W+", "-", name))


def make(name: str, *, plan: DemoPlan = PLAN) -> Path | None:
    """Write an archive into a new folder; return the path to serve, without symbolic links to the folder."""
    maker = ARCHIVES[name]
    if maker is None:
        return None
    folder = folder_of(name)
    folder.mkdir()
    fixed.begin(name, 0)
    place = make_demo(folder / "demo", plan=plan) if name == "demo" else maker(folder)
    set_times(folder)
    return place


def set_times(folder: Path) -> None:
    """Give a folder and all below it one time."""
    for each in (folder, *folder.rglob("*")):
        os.utime(each, (MADE_S, MADE_S))
