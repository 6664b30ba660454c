"""Files of scenes that are written over while a server runs, and before the index has seen it."""

import os
import shutil
import threading
from contextlib import closing
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.configured_archive import index_store, source_access
from chronotile.app.settings import Settings
from chronotile.archive.index.fill import fill
from chronotile.archive.index.sources import indexed_collection, source_of, specs_of_items
from chronotile.core.model.space.boxes import BBox
from chronotile.readers.cog.file_tags import tag_of_path

CONFIGURATION = """collections:
  tiles:
    source: {kind: cog, href: "a/S2_*_{variable}.tif", tiles: true}
    variables: {NDVI: {layer: NDVI, range: [0, 255], styles: [grey]}}
"""
STYLE = 'title: Grey\nrange: [0, 255]\nramp: {0: "#000000", 255: "#ffffff"}\n'
SERIES = "/timeseries/NDVI/point?lon=3.003&lat=50.997"
TILE = "/tiles/NDVI/WebMercatorQuad/14/8329/5485.png?datetime=2020-06-01"
OLD_S, NEW_S = 1_700_000_000, 1_700_000_500
"""Times of files: long ago, so that blocks are cached."""
DAYS = tuple(f"202006{day:02}" for day in range(1, 4))


def write(path: Path, number: int, *, size: int = 512, modified_s: int = OLD_S, **options: object) -> Path:
    """Write a file of one number; uncompressed files of equal size have equally many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 1, "dtype": "uint8", "nodata": 0}
    profile |= {"crs": "EPSG:32631", "transform": Affine(5120 / size, 0, 500_000, 0, -5120 / size, 5_653_000)}
    profile |= {"tiled": True, "blockxsize": 128, "blockysize": 128}
    with rasterio.open(path, "w", **profile, **options) as file:
        file.write(np.full((size, size), number, np.uint8), 1)
        file.build_overviews([2, 4], rasterio.enums.Resampling.nearest)
    os.utime(path, (modified_s, modified_s))
    return path


def rename(path: Path, new: Path) -> None:
    new.replace(path)


def write_over(path: Path, new: Path) -> None:
    shutil.copyfile(new, path)
    shutil.copystat(new, path)


@pytest.fixture
def files(tmp_path):
    return [write(tmp_path / "a" / f"S2_{day}_NDVI.tif", 50) for day in DAYS]


@pytest.fixture
def client(tmp_path, files):
    place = tmp_path / "chronotile.yaml"
    place.write_text(CONFIGURATION)
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "grey.yaml").write_text(STYLE)
    settings = Settings(config=place, watch_s=0, jobs_dir=tmp_path / "jobs")
    (spec,) = specs_of_items(place, environment={})
    with closing(index_store(settings)) as store:
        fill(indexed_collection(spec), source_of(spec, source_access(settings)), store)
    with TestClient(create_app(settings)) as one, closing(one.app.state.chronotile.services.reader_caches.items):
        yield one


def values_of(answer):
    return answer.json()["values"]


def greys_of(answer):
    pixels = np.asarray(Image.open(BytesIO(answer.content)).convert("RGBA"))
    return set(pixels[..., 0][pixels[..., 3] > 0].tolist())


@pytest.mark.parametrize("replace", [rename, write_over])
@pytest.mark.parametrize("options", [{}, {"compress": "deflate"}, {"size": 1024}], ids=["alike", "shorter", "finer"])
def test_replaced_file_is_read_immediately_and_never_mixed(client, files, tmp_path, replace, options):
    before = {path: client.get(path) for path in (SERIES, TILE)}
    assert values_of(before[SERIES]) == [50, 50, 50]
    assert greys_of(before[TILE]) == {50}

    replace(files[0], write(tmp_path / "new.tif", 200, modified_s=NEW_S, **options))

    after = {path: client.get(path, headers={"If-None-Match": before[path].headers["ETag"]}) for path in before}
    assert {path: answer.status_code for path, answer in after.items()} == {SERIES: 200, TILE: 200}
    assert values_of(after[SERIES]) == [200, 50, 50]
    assert greys_of(after[TILE]) == {200}
    assert not any("Warning" in answer.headers for answer in after.values())
    again = {path: client.get(path) for path in before}
    unchanged = {path: client.get(path, headers={"If-None-Match": again[path].headers["ETag"]}) for path in before}
    assert {answer.status_code for answer in unchanged.values()} == {304}


def test_the_index_has_a_replaced_file_once_it_was_read(client, files, tmp_path):
    index = client.app.state.chronotile.services.reader_caches.items
    client.get(SERIES)
    before = index.state("tiles").counter

    rename(files[0], write(tmp_path / "new.tif", 200, modified_s=NEW_S))
    client.get(SERIES)
    client.get(SERIES)

    assert index.state("tiles").counter == before + 1
    (ref, *_others) = index.covering("tiles", BBox(3, 50.9, 3.1, 51))
    (asset,) = index.assets([ref.number])[ref.number]
    assert asset.etag == tag_of_path(files[0])


def test_missing_file_is_skipped_and_named(client, files, tmp_path):
    before = client.get(SERIES)
    files[0].rename(tmp_path / "unavailable.tif")

    without = client.get(SERIES, headers={"If-None-Match": before.headers["ETag"]})
    assert (without.status_code, values_of(without)) == (200, [None, 50, 50])

    (tmp_path / "unavailable.tif").rename(files[0])
    assert values_of(client.get(SERIES)) == [50, 50, 50]


@pytest.mark.slow
def test_answers_while_a_file_is_replaced_again_and_again_are_of_one_file(client, files, tmp_path):
    numbers = (50, 200)
    seen, faults, is_done = set[int](), list[object](), threading.Event()

    def look():
        while not is_done.is_set():
            answer = client.get(TILE)
            greys = greys_of(answer) if answer.status_code == 200 else {answer.status_code}
            seen.update(greys)
            if len(greys) != 1 or not greys <= {*numbers, 503}:
                faults.append((answer.status_code, greys))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        rename(files[0], write(tmp_path / "new.tif", numbers[turn % 2 == 0], modified_s=NEW_S + turn))
        assert greys_of(client.get(TILE)) == {numbers[turn % 2 == 0]}
    is_done.set()
    for thread in threads:
        thread.join()
    assert not faults
    assert set(numbers) <= seen
