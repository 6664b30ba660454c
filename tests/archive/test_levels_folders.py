"""Folders of levels as xcube writes them: which store is the finest level, here and in a bucket."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from chronotile.archive.source_states import source_states
from chronotile.audit.archive import Audit, audit_archive
from chronotile.core.errors import AddressRefused, ConfigurationError, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.faulty_source import faulty_source
from tests.readers.test_sources_in_s3 import upload
from tests.scenes import Scene, make_spec, write_zarr

SCENE = Scene()
SIZES = [(40, 30), (20, 15)]


def make(folder: Path, *, finest: str | None, version: int = 3) -> Path:
    """A folder of levels of the scene; its finest is the store `cubes/fine.zarr`, if that is named, or within it."""
    folder.mkdir(parents=True, exist_ok=True)
    store = Path(write_zarr(folder, SCENE, version=version).href)
    levels = folder / "scene.levels"
    levels.mkdir()
    (store / "1").rename(levels / "1.zarr")
    if finest is None:
        (store / "0").rename(levels / "0.zarr")
    else:
        (folder / "cubes").mkdir()
        (store / "0").rename(folder / "cubes" / "fine.zarr")
        (levels / "0.link").write_text(finest.replace("HERE", str(folder)))
    shutil.rmtree(store)
    return levels


def require_scene(reader) -> None:
    assert [(grid.width, grid.height) for grid in reader.info.variables["NDVI"].levels] == SIZES
    window = Window(0, SCENE.height, 0, SCENE.width)
    numbers = reader.read_window("NDVI", index=1, level=0, window=window).numbers
    np.testing.assert_array_equal(numbers, SCENE.numbers(1))
    overview = reader.read_window("NDVI", index=1, level=1, window=Window(0, 15, 0, 20)).numbers
    np.testing.assert_array_equal(overview, SCENE.numbers(1)[::2, ::2])


@pytest.mark.parametrize(
    ("finest", "version"),
    [("../cubes/fine.zarr", 2), ("../cubes/fine.zarr\n", 3), ("HERE/cubes/fine.zarr", 3), ("cubes/fine.zarr", 3)],
)
def test_link_to_a_store_of_the_folder_is_the_finest_level(tmp_path, open_at, finest, version):
    levels = make(tmp_path, finest=finest, version=version)

    archive = open_at(tmp_path)
    audit = Audit(seed=1)

    assert sorted(archive.services.readers) == ["fine", "scene"]
    require_scene(archive.services.readers["scene"])
    require_scene(open_source(make_spec("zarr", levels)))
    assert list(audit_archive(archive, audit, samples=2)) == []
    assert sorted(audit.layers) == ["fine.NDVI", "scene.NDVI"]


def test_link_is_followed_if_the_operator_allows_its_folder(tmp_path):
    levels = make(tmp_path / "served", finest="../../elsewhere/fine.zarr")
    (tmp_path / "served" / "cubes").rename(tmp_path / "elsewhere")
    spec = make_spec("zarr", levels)

    with pytest.raises(AddressRefused, match=r"its 0\.link leads out .* allow .* in CHRONOTILE_SOURCE_PREFIXES"):
        open_source(spec)

    require_scene(open_source(spec, ReaderCaches(places=AllowedPlaces([str(tmp_path / "elsewhere")]))))


@pytest.mark.parametrize(
    ("finest", "reason"),
    [
        ("../../outside.zarr", r"its 0\.link leads out of the folder that holds it"),
        ("../absent.zarr", r"its 0\.link leads to absent\.zarr, which is not a folder"),
        ("../cubes", "cubes is not a Zarr group"),
        (".", r"its 0\.link leads to scene\.levels, which has no arrays at its root"),
        ("s3://bucket/fine.zarr", r"its 0\.link leads to fine\.zarr, which is not a folder"),
        ("", r"its 0\.link holds no path"),
        ("a\0b", r"its 0\.link holds no path"),
        (None, r"its finest level, 0\.zarr, is missing"),
    ],
)
def test_levels_without_their_finest_are_refused_by_name(tmp_path, open_at, finest, reason):
    levels = make(tmp_path / "served", finest=finest)
    if finest is None:
        shutil.rmtree(levels / "0.zarr")

    with pytest.raises(ConfigurationError, match=rf"scene\.levels: {reason}"):
        open_at(levels)

    with pytest.raises(UnsupportedSource, match=reason):
        open_source(make_spec("zarr", levels))


def test_change_of_the_linked_store_is_a_change_of_the_levels(tmp_path):
    specs = {"scene": make_spec("zarr", make(tmp_path, finest="../cubes/fine.zarr"))}
    before = source_states(specs)

    attributes = tmp_path / "cubes" / "fine.zarr" / "NDVI" / "zarr.json"
    attributes.write_text(attributes.read_text() + "\n")

    assert source_states(specs) != before


@pytest.mark.slow
@pytest.mark.client("moto_server")
def test_levels_in_a_bucket_are_one_source(s3_server, tmp_path, monkeypatch):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.make_bucket()
    upload(s3_server, bucket, make(tmp_path, finest=None, version=2).parent)

    require_scene(open_source(make_spec("zarr", f"s3://{bucket}/data/scene.levels", variables={})))


@pytest.mark.slow
def test_levels_at_a_server_that_cannot_list_them_are_one_source(tmp_path):
    make(tmp_path, finest=None, version=2)

    with faulty_source(tmp_path) as source:
        require_scene(open_source(make_spec("zarr", source.url_of("scene.levels"))))
