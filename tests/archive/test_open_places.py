"""Places of an archive: served places, findings, and reloads."""

import numpy as np
import pytest

from chronotile.archive.describe import archive_lines
from chronotile.archive.open import refresh_archive
from tests.places import feature, write_places
from tests.scenes import Scene, write_cogs

NOW = np.datetime64("2020-03-01T12:00:00", "ns")
CONFIGURATION = """
collections: {good: {source: {kind: cog, href: "NDVI_*.tif"}, variables: {NDVI: {}}}}
places:
  squares: {href: squares.geojson, id: code}
  gone: {href: gone.geojson}
"""


@pytest.fixture
def file(tmp_path):
    """Return a configuration with two sets, one with a missing file."""
    write_cogs(tmp_path, Scene())
    write_places(tmp_path / "squares.geojson")
    path = tmp_path / "chronotile.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return path


def look_again(archive, file):
    return refresh_archive(archive, file, environment={}, clock=lambda: NOW)


def test_unreadable_set_is_reported_and_the_others_are_served(file, open_at):
    archive = open_at(file)

    assert list(archive.services.catalogue.places) == ["squares"]
    assert [(each.severity, each.place, each.message) for each in archive.findings] == [
        ("error", "places.gone", "left out: there is no file gone.geojson")
    ]


def test_places_are_read_again_when_their_file_changed(file, open_at, tmp_path):
    archive = open_at(file)
    write_places(tmp_path / "squares.geojson", feature(5))

    newer = look_again(archive, file)

    assert newer.services.catalogue.places["squares"].ids == ("S5",)
    assert newer.services.revision != archive.services.revision


def test_a_set_whose_file_comes_later_is_served_then(file, open_at, tmp_path):
    archive = open_at(file)
    write_places(tmp_path / "gone.geojson", {**feature(0), "id": "here"})

    assert look_again(archive, file).services.catalogue.places["gone"].ids == ("here",)


def test_places_of_an_unchanged_file_are_reused(file, open_at):
    archive = open_at(file)
    file.write_text(f"{CONFIGURATION}service: {{title: Other}}\n", encoding="utf-8")

    newer = look_again(archive, file)

    assert newer is not archive
    assert newer.services.catalogue.places["squares"] is archive.services.catalogue.places["squares"]


def test_changed_options_of_an_unchanged_file_read_it_again(file, open_at):
    archive = open_at(file)
    file.write_text(CONFIGURATION.replace("id: code", "id: name"), encoding="utf-8")

    assert look_again(archive, file).services.catalogue.places["squares"].ids[0] == "Square 0"


def test_nothing_changed_is_the_same_archive(file, open_at):
    archive = open_at(file)

    assert look_again(archive, file) is archive


def test_layers_are_listed_with_the_sets_of_places(file, open_at):
    lines = list(archive_lines(open_at(file).services.catalogue))

    assert lines[-1] == "places.squares  3 places  label code  lon 4.5 to 4.8, lat 50.8 to 50.9  OGC:CRS84"
