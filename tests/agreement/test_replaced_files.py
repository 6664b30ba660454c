"""Files that are replaced by others of the same size and modification time: values, pictures and ETags are new."""

import itertools
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from tests.agreement.conftest import CONFIGURATION, SOURCES, STYLE
from tests.agreement.scenes_served import SCENES
from tests.scenes import write_scene

SCENE = replace(SCENES["longitude and latitude"], days=("2020-01-01", "2020-01-11"), gap=-1)
OTHER = replace(SCENE, shift=40)
WRITTEN_S = 1_600_000_000
ROW, COLUMN = 5, 9
LONGITUDE, LATITUDE = SCENE.transform @ (COLUMN + 0.5, ROW + 0.5)
BOX = f"{LATITUDE - 0.002},{LONGITUDE - 0.002},{LATITUDE + 0.002},{LONGITUDE + 0.002}"
ZOOM = 14
X = int((LONGITUDE + 180) / 360 * 2**ZOOM)
Y = int((1 - math.asinh(math.tan(math.radians(LATITUDE))) / math.pi) / 2 * 2**ZOOM)
URLS = {
    "tile": f"/tiles/NDVI/WebMercatorQuad/{ZOOM}/{X}/{Y}.png?datetime=2020-01-01",
    "map": "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:4326"
    f"&BBOX={BOX}&WIDTH=32&HEIGHT=32&FORMAT=image/png&TIME=2020-01-01",
    "coverage": "/ogcapi/collections/NDVI/coverage?f=geotiff&datetime=2020-01-01",
    "series": f"/timeseries/NDVI/point?lon={LONGITUDE}&lat={LATITUDE}",
}


WAYS = [
    *itertools.product(("cog", "netcdf-3", "netcdf-4", "zarr-v2", "zarr-v3"), ("link", "rename")),
    *itertools.product(("cog", "netcdf-3", "netcdf-4"), ("writing_in_place",)),
]
"""Chunks of Zarr stores are renamed into their folders by all writers."""


def rename(source: Path, target: Path) -> None:
    """Put another file in the place of one."""
    partial = target.with_name("partial")
    shutil.copy2(source, partial)
    partial.replace(target)


def write_in_place(source: Path, target: Path) -> None:
    """Write over a file, which keeps its inode, and give it the time that it had."""
    shutil.copyfile(source, target)
    shutil.copystat(source, target)


def files_below(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def of_equal_size_and_time(one: Path, other: Path) -> None:
    """Pad the shorter of two files of each name if its format allows it, and set all times."""
    for name in files_below(one):
        pair = (one / name, other / name)
        size = max(path.stat().st_size for path in pair)
        for path in pair:
            os.truncate(path, size if name.suffix in {".nc", ".tif"} else path.stat().st_size)
            os.utime(path, (WRITTEN_S, WRITTEN_S))


class Replaced:
    """An archive whose files are replaced while it is served."""

    def __init__(self, folder: Path, kind: str, way: str) -> None:
        self.one, self.other, self.served = (folder / name for name in ("one", "other", "served"))
        for place, scene in ((self.one, SCENE), (self.other, OTHER)):
            place.mkdir()
            write_scene(kind, place, scene)
        of_equal_size_and_time(self.one, self.other)
        (self.served / "styles").mkdir(parents=True)
        (self.served / "styles" / "numbers.yaml").write_text(STYLE)
        source, href = SOURCES[kind if kind in SOURCES else kind.rpartition("-")[0]]
        (self.served / "chronotile.yaml").write_text(CONFIGURATION.replace("KIND", source).replace("HREF", href))
        self.replace: Callable[[], None] = getattr(self, f"_by_{way}")
        self._put = self._link if way == "link" else self._copy
        self._put(self.one)

    def _link(self, place: Path) -> None:
        for path in place.iterdir():
            link = self.served / "link"
            link.symlink_to(path)
            link.replace(self.served / path.name)

    def _copy(self, place: Path) -> None:
        shutil.copytree(place, self.served, dirs_exist_ok=True)

    def _by_link(self) -> None:
        self._link(self.other)

    def _by_rename(self) -> None:
        for name in files_below(self.other):
            rename(self.other / name, self.served / name)

    def _by_writing_in_place(self) -> None:
        for name in files_below(self.other):
            write_in_place(self.other / name, self.served / name)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_replaced_files_of_the_same_size_and_time_are_seen(tmp_path, kind, way):
    files = Replaced(tmp_path, kind, way)
    archive = open_archive(
        files.served / "chronotile.yaml", environment={}, clock=lambda: np.datetime64("2021-01-01", "ns")
    )
    with TestClient(application(archive.services)) as client:
        before = {name: client.get(url) for name, url in URLS.items()}

        files.replace()

        after = {
            name: client.get(url, headers={"If-None-Match": before[name].headers["etag"]}) for name, url in URLS.items()
        }
    assert {name: answer.status_code for name, answer in after.items()} == dict.fromkeys(URLS, 200)
    assert [name for name in URLS if after[name].headers["etag"] == before[name].headers["etag"]] == []
    assert [name for name in URLS if after[name].content == before[name].content] == []
    expected = [OTHER.number(t, ROW, COLUMN) * OTHER.scale + OTHER.offset for t in range(2)]
    assert after["series"].json()["values"] == pytest.approx(expected, abs=1e-6)
