"""The log of a reload: added and removed layers and dates, and skipped collections."""

from dataclasses import replace

import numpy as np
import pytest

from chronotile.archive.open import refresh_archive
from chronotile.archive.reload_changes import changes_line
from tests.scenes import Scene, write_cogs

SCENE = Scene()
SOURCE = 'source: {kind: cog, href: "NDVI_*.tif"}'
NDVI = f"collections:\n  made: {{{SOURCE}, variables: {{NDVI: {{}}}}}}\n"


@pytest.fixture
def line_of(tmp_path, open_at):
    """Return `line_of(configuration)`: the log line after a change of the configuration."""

    def change(written):
        file = tmp_path / "chronotile.yaml"
        file.write_text(NDVI)
        before = open_at(file)
        file.write_text(written)
        after = refresh_archive(before, file, environment={}, clock=lambda: np.datetime64("2020-03-01", "ns"))
        return changes_line(before, after)

    write_cogs(tmp_path, SCENE)
    return change


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (f"{NDVI}  again: {{{SOURCE}, variables: {{NDVI: {{}}}}}}\n", "layer again.NDVI added"),
        (NDVI.replace("NDVI: {}", "NDVI: {layer: OTHER}"), "layer OTHER added, layer made.NDVI removed"),
        (f"{NDVI}service: {{title: New}}\n", "the configuration or a style was changed"),
        (f'{NDVI}  gone: {{source: {{kind: zarr, href: no.zarr}}, variables: {{LAI: {{}}}}}}\n', "1 left out (gone)"),
    ],
    ids=["added", "renamed", "title", "left out"],
)  # fmt: skip
def test_change_of_the_configuration_is_reported(line_of, written, line):
    assert line_of(written) == f"reloaded: {line}"


def test_kind_of_rasters_has_two_names(line_of):
    assert line_of(NDVI.replace("kind: cog", "kind: raster")) == "reloaded: the configuration or a style was changed"


def test_skipped_collection_is_reported_as_removed_when_removed(tmp_path, open_at):
    file = tmp_path / "chronotile.yaml"
    write_cogs(tmp_path, SCENE)
    file.write_text(f"{NDVI}  gone: {{source: {{kind: zarr, href: no.zarr}}, variables: {{LAI: {{}}}}}}\n")
    before = open_at(file)
    file.write_text(NDVI)
    after = refresh_archive(before, file, environment={}, clock=lambda: np.datetime64("2020-03-01", "ns"))

    assert changes_line(before, after) == "reloaded: collection gone removed"


def test_dates_of_many_layers_are_reported_together(tmp_path, open_at):
    layers = ", ".join(f"V{number}: {{band: 1}}" for number in range(8))
    file = tmp_path / "chronotile.yaml"
    file.write_text(f"collections:\n  made: {{{SOURCE}, variables: {{{layers}}}}}\n")
    write_cogs(tmp_path, SCENE)
    before = open_at(file)
    write_cogs(tmp_path, replace(SCENE, days=(*SCENE.days[1:], "2020-02-21", "2020-03-01")))
    (tmp_path / "NDVI_20200101.tif").unlink()
    after = refresh_archive(before, file, environment={}, clock=lambda: np.datetime64("2020-03-01", "ns"))

    names = "made.V0, made.V1, made.V2, made.V3, made.V4, made.V5 and 2 more"
    assert changes_line(before, after) == (f"reloaded: 1 date removed from {names}, 2 dates added to {names}")


@pytest.mark.parametrize(
    ("rules", "ends"),
    [("", True), ("time: {match: exact}, ", False), ("time: {match: before, tolerance_days: 9}, ", False)],
)
def test_date_that_breaks_a_regular_step_changes_how_maps_match_times(tmp_path, open_at, rules, ends):
    """Without `match` maps of WMS and WMTS fill the gaps of irregular times alone."""
    file = tmp_path / "chronotile.yaml"
    file.write_text(NDVI.replace(f"{{{SOURCE}, ", f"{{{SOURCE}, {rules}"))
    write_cogs(tmp_path, replace(SCENE, days=("2020-01-01", "2020-01-09", "2020-01-17", "2020-01-25")))
    regular = open_at(file)
    write_cogs(tmp_path, replace(SCENE, days=("2020-01-30",)))
    irregular = refresh_archive(regular, file, environment={}, clock=lambda: np.datetime64("2020-03-01", "ns"))
    (tmp_path / "NDVI_20200130.tif").unlink()
    again = refresh_archive(irregular, file, environment={}, clock=lambda: np.datetime64("2020-03-01", "ns"))

    what = "show the latest date before a time between the dates of made.NDVI"
    assert changes_line(regular, irregular) == (
        f"reloaded: 1 date added to made.NDVI{f', maps of WMS and WMTS now {what}' * ends}"
    )
    assert changes_line(irregular, again) == (
        f"reloaded: 1 date removed from made.NDVI{f', maps of WMS and WMTS no longer {what}' * ends}"
    )
