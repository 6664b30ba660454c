"""Archives of providers are opened once, followed, bounded, and their faults worded without paths."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pygeoapi.provider.base import ProviderGenericError

from chronotile.errors import ConfigurationError
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.pygeoapi import CoverageProvider
from chronotile.pygeoapi.archives import LOOK_S, Archives, opened
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


def test_an_archive_is_opened_once_however_many_ask_at_once(folder):
    kept, barrier = Archives(), threading.Barrier(8)

    def ask(_number):
        barrier.wait()
        return kept.services(folder)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))

    assert all(each is found[0] for each in found)


def test_no_more_archives_are_kept_than_the_bound(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write_cogs(other, Scene(days=DAYS))
    kept = Archives(most=1)

    first, second = kept.services(folder), kept.services(other)

    assert kept.services(other) is second
    assert kept.services(folder) is not first


def test_new_files_are_seen_once_they_are_looked_for(folder):
    now = [0.0]
    kept = Archives(now=lambda: now[0])
    before = kept.services(folder)
    write_cogs(folder, Scene(days=(*DAYS, "2020-01-21")))

    soon = kept.services(folder)
    now[0] = LOOK_S + 1
    later = kept.services(folder)

    assert soon is before
    assert [len(next(each.catalogue.layers).times) for each in (before, later)] == [2, 3]


def test_a_serving_cube_that_grew_is_seen_at_once(tmp_path):
    write_cogs(tmp_path, Scene(days=(*DAYS, "2020-01-21")))
    files = sorted(map(str, tmp_path.glob("*.tif")))
    cube = tmp_path / "cube.zarr"
    config = tmp_path / "chronotile.yaml"
    config.write_text("collections: {made: {source: {kind: zarr, href: cube.zarr}}}", encoding="utf-8")
    optimise(files[:2], cube, OPTIONS)
    kept = Archives(now=lambda: 0.0)
    before = kept.services(config)

    optimise(files, cube, OPTIONS)

    after = kept.services(config)
    assert [len(next(each.catalogue.layers).times) for each in (before, after)] == [2, 3]


def test_a_configuration_with_new_mistakes_goes_on_as_it_was(tmp_path):
    spec = write_cogs(tmp_path, Scene(days=DAYS))
    config = tmp_path / "chronotile.yaml"
    source = f"{{kind: cog, href: '{spec.href}', time_pattern: '{spec.time_pattern}'}}"
    config.write_text(f"collections: {{made: {{source: {source}}}}}", encoding="utf-8")
    now = [0.0]
    kept = Archives(now=lambda: now[0])
    before = kept.services(config)

    config.write_text("collections: {", encoding="utf-8")
    now[0] = LOOK_S + 1

    assert kept.services(config) is before


def test_what_cannot_be_opened_is_tried_again(tmp_path):
    place = tmp_path / "later"
    kept = Archives()
    with pytest.raises(ConfigurationError):
        kept.services(place)

    place.mkdir()
    write_cogs(place, Scene(days=DAYS))

    assert len(kept.services(place).catalogue.collections) == 1


def test_a_missing_archive_is_unavailable_and_its_path_is_not_told(tmp_path):
    with pytest.raises(ProviderGenericError) as refused:
        CoverageProvider({"name": "ours", "type": "coverage", "data": str(tmp_path / "secret.yaml")})

    assert refused.value.http_status_code == 503
    assert "secret" not in refused.value.message


def test_places_of_archives_may_be_relative_to_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))

    assert opened(f"~/{folder.name}") is opened(str(folder))
