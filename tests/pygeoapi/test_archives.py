"""Archives of providers are opened once, followed, bounded, and their faults worded without paths."""

import pytest
from pygeoapi.provider.base import ProviderGenericError

from chronotile.archive.live_archive import LiveArchive
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.pygeoapi import CoverageProvider
from chronotile.pygeoapi.archives import CHECK_S, restrict_current, services_of
from tests.scenes import Scene, write_cogs

OPTIONS = Options(layout="both", block=4, threads=1)
DAYS = ("2020-01-01", "2020-01-11")


@pytest.fixture
def folder(tmp_path):
    write_cogs(tmp_path, Scene(days=DAYS))
    return tmp_path


def test_a_folder_of_data_is_an_archive(folder):
    provider = CoverageProvider({"name": "ours", "type": "coverage", "data": str(folder)})

    assert set(provider.fields) == {"NDVI"}
    assert provider._coverage_properties["time_range"] == ["2020-01-01T00:00:00Z", "2020-01-11T00:00:00Z"]


def test_new_files_are_seen_after_a_check(folder):
    now = [0.0]
    live = LiveArchive.open(folder, clock=lambda: now[0])
    before = restrict_current(live)
    write_cogs(folder, Scene(days=(*DAYS, "2020-01-21")))

    soon = restrict_current(live)
    now[0] = CHECK_S + 1
    later = restrict_current(live)

    assert soon is before
    assert [len(next(each.catalogue.layers).times) for each in (before, later)] == [2, 3]


def test_appended_serving_cube_is_seen_immediately(tmp_path):
    write_cogs(tmp_path, Scene(days=(*DAYS, "2020-01-21")))
    files = sorted(map(str, tmp_path.glob("*.tif")))
    cube = tmp_path / "cube.zarr"
    config = tmp_path / "chronotile.yaml"
    config.write_text("collections: {made: {source: {kind: zarr, href: cube.zarr}}}", encoding="utf-8")
    optimise(files[:2], cube, OPTIONS)
    live = LiveArchive.open(config, clock=lambda: 0.0)
    before = restrict_current(live)

    optimise(files, cube, OPTIONS)

    after = restrict_current(live)
    assert [len(next(each.catalogue.layers).times) for each in (before, after)] == [2, 3]


def test_missing_archive_is_unavailable_and_its_path_is_not_shown(tmp_path):
    with pytest.raises(ProviderGenericError) as refused:
        CoverageProvider({"name": "ours", "type": "coverage", "data": str(tmp_path / "secret.yaml")})

    assert refused.value.http_status_code == 503
    assert "secret" not in refused.value.message


def test_places_of_archives_may_be_relative_to_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))

    assert services_of(f"~/{folder.name}") is services_of(str(folder))
