"""Opening configurations, also with undefined metadata."""

import numpy as np
import pytest

from chronotile.core.errors import ConfigurationError
from chronotile.core.model.time.instants import format_day
from tests.scenes import Scene, write_cogs, write_tif, write_zarr

SCENE = Scene()

TWO = """
collections:
  good:
    source: {kind: cog, href: "NDVI_*.tif"}
    variables: {NDVI: {}}
  gone:
    source: {kind: zarr, href: absent.zarr}
"""


@pytest.fixture
def configure(tmp_path):
    """Return `configure(text)`, which writes a configuration file."""

    def write(text: str):
        file = tmp_path / "chronotile.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_source_that_does_not_open_is_reported_and_the_others_are_served(configure, open_at, tmp_path):
    write_cogs(tmp_path, SCENE)

    archive = open_at(configure(TWO))

    assert [layer.id for layer in archive.services.catalogue.layers] == ["good.NDVI"]
    assert [(each.severity, each.place) for each in archive.findings] == [("error", "gone")]


def test_archive_without_working_sources_is_an_error_of_one_line_per_source(configure, open_at):
    with pytest.raises(ConfigurationError) as caught:
        open_at(configure(TWO))

    assert [line.partition(":")[0] for line in caught.value.mistakes] == ["good", "gone"]


def test_all_mistakes_of_the_configuration_are_reported(configure, open_at):
    with pytest.raises(ConfigurationError) as caught:
        open_at(configure("collections:\n  a: {sourcee: 1}\n  b: {source: {kind: zap, href: x}}\n"))

    assert len(caught.value.mistakes) == 3


def test_mistakes_of_styles_are_reported_with_those_of_the_configuration(configure, open_at, tmp_path):
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "mine.yaml").write_text("rampe: viridis\n")

    with pytest.raises(ConfigurationError) as caught:
        open_at(configure("collections:\n  a: {sourcee: 1}\n"))

    assert [("mine.yaml" in line, "sourcee" in line) for line in caught.value.mistakes][-1] == (True, False)
    assert any("sourcee" in line for line in caught.value.mistakes)


def test_style_in_the_configuration_folder_is_found(configure, open_at, tmp_path):
    write_cogs(tmp_path, SCENE)
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "mine.yaml").write_text('ramp: {0: "#000000", 1: "#ffffff"}\n')

    archive = open_at(configure(TWO.replace("{NDVI: {}}", "{NDVI: {styles: [mine]}}")))

    assert [style.id for layer in archive.services.catalogue.layers for style in layer.styles] == ["mine"]


def test_variable_without_style_is_stretched_over_the_sampled_values(configure, open_at, tmp_path):
    write_cogs(tmp_path, SCENE)

    archive = open_at(configure(TWO.replace("NDVI: {}", "HEIGHT: {}")))

    (layer,) = archive.services.catalogue.layers
    low, high = layer.styles[0].range
    numbers = SCENE.numbers(len(SCENE.days) - 1)
    values = numbers[numbers != 255] * SCENE.scale + SCENE.offset
    assert (low, high) == pytest.approx(tuple(np.percentile(values, (2, 98))), abs=1e-9)


def test_finding_of_a_source_is_reported_under_its_collection(configure, open_at, tmp_path):
    write_cogs(tmp_path, SCENE)
    write_tif(tmp_path / "NDVI_20200301.tif", SCENE.numbers(0)[:8, :8], SCENE)

    archive = open_at(configure(TWO.split("  gone", maxsplit=1)[0]))

    assert [each.place for each in archive.findings] == ["good: NDVI_20200301.tif"]


def half_empty(share_by_day: dict[str, float]) -> Scene:
    """Return a scene that is nodata in the lower part of each day's grid."""

    class Clouded(Scene):
        def numbers(self, t):
            numbers = super().numbers(t)
            numbers[round(self.height * list(share_by_day.values())[t]) :] = 255
            return numbers

    return Clouded(days=tuple(share_by_day), gap=-1)


@pytest.mark.parametrize(
    ("least", "shares", "expected"),
    [
        (0.5, {"2020-01-01": 1.0, "2020-01-11": 0.6, "2020-01-21": 0.1}, "2020-01-11"),
        (0.05, {"2020-01-01": 1.0, "2020-01-11": 0.6, "2020-01-21": 0.1}, "2020-01-21"),
        (0.9, {"2020-01-01": 0.2, "2020-01-11": 0.6, "2020-01-21": 0.1}, "2020-01-11"),
        (0.5, {"2020-01-01": 1.0, "2020-01-11": 0.6, "2106-01-01": 1.0}, "2020-01-11"),
    ],
    ids=["newest with enough", "newest", "fullest where none has enough", "never the future"],
)
def test_default_time_has_the_required_share_of_valid_pixels(configure, open_at, tmp_path, least, shares, expected):
    write_cogs(tmp_path, half_empty(shares), overviews=())

    text = TWO.split("  gone", maxsplit=1)[0] + f"    time: {{default: {{latest: {{min_valid: {least}}}}}}}\n"
    (layer,) = open_at(configure(text)).services.catalogue.layers

    assert format_day(layer.time_rules.default.start) == expected


def test_default_time_of_a_composite_counts_pixels_that_all_its_variables_have(configure, open_at, tmp_path):
    for name, shares in {"red": (1.0, 1.0), "green": (1.0, 0.2), "blue": (1.0, 1.0)}.items():
        scene = half_empty(dict(zip(("2020-01-01", "2020-01-11"), shares, strict=True)))
        for t, day in enumerate(scene.days):
            write_tif(tmp_path / f"{name}_{day}.tif", scene.numbers(t), scene)

    text = """
collections:
  a:
    source: {kind: cog, href: "{variable}_*.tif"}
    time: {default: {latest: {min_valid: 0.5}}}
    variables: {red: {}, green: {}, blue: {}}
    composites: {RGB: {variables: [red, green, blue], range: [0, 1]}}
"""
    archive = open_at(configure(text))

    defaults = {layer.id: format_day(layer.time_rules.default.start) for layer in archive.services.catalogue.layers}
    assert defaults == {"a.red": "2020-01-11", "a.green": "2020-01-01", "a.blue": "2020-01-11", "a.RGB": "2020-01-01"}


def test_unreadable_time_is_reported_and_skipped(configure, open_at, tmp_path):
    scene = Scene(width=256, height=256, days=("2020-01-01", "2020-01-11"))
    write_cogs(tmp_path, scene, overviews=())
    newest = tmp_path / "NDVI_20200111.tif"
    write_tif(newest, np.random.default_rng(1).integers(0, 250, (256, 256), "uint8"), scene)
    with newest.open("r+b") as file:
        file.seek(newest.stat().st_size // 2)
        file.write(bytes(4096))

    text = TWO.split("  gone", maxsplit=1)[0] + "    time: {default: {latest: {min_valid: 0.5}}}\n"
    archive = open_at(configure(text))

    (layer,) = archive.services.catalogue.layers
    assert format_day(layer.time_rules.default.start) == "2020-01-01"
    assert [finding.message.partition(":")[0] for finding in archive.findings] == ["2020-01-11T00"]


def test_default_time_of_a_zarr_cube_is_looked_for_on_its_coarsest_level(configure, open_at, tmp_path):
    write_zarr(tmp_path, half_empty({"2020-01-01": 1.0, "2020-01-11": 0.0}))

    text = (
        "collections: {cube: {source: {kind: zarr, href: made.zarr}, time: {default: {latest: {min_valid: 0.5}}},"
        " variables: {NDVI: {styles: [ndvi]}}}}"
    )
    (layer,) = open_at(configure(text)).services.catalogue.layers

    assert format_day(layer.time_rules.default.start) == "2020-01-01"


def test_folders_of_sources_are_used_for_the_files_of_their_items(configure, open_at, tmp_path):
    write_cogs(tmp_path, SCENE)
    archive = open_at(configure('collections: {s2: {source: {kind: cog, href: "NDVI_*.tif"}}}'))

    assert archive.services.source_hrefs == {"s2": str(tmp_path / "NDVI_*.tif")}
