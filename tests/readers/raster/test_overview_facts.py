"""Overviews that contradict their file: each is skipped with a finding that has the file, the level and the reason."""

import subprocess

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.raster.open_stack import open_raster_stack
from tests.odd_archives.levels import RASTERS, Raster
from tests.scenes import make_spec

SIDE = 160
SHOWN = np.indices((SIDE, SIDE))[1] < SIDE // 2
"""(y, x): the west has values."""
RASTER = Raster(numbers=np.where(SHOWN, 100, 250).astype("uint8"), shown=SHOWN, resampling=Resampling.average)
REASONS = {
    "internal mask after internal overviews": "no mask, as the image has",
    "external mask after internal overviews": "no mask, as the image has",
    "internal mask before external overviews": "no mask, as the image has",
    "nodata set after the overviews": "uint8, no nodata, those of the native level uint8, nodata 250",
    "nodata changed after the overviews": "uint8, nodata 7, those of the native level uint8, nodata 250",
    "nodata of the dataset": "no mask, as the image has",
    "overviews of another type": "float32, nodata 250, those of the native level uint8, nodata 250",
    "overviews of another scale": r"uint8 \* 0.1, nodata 250, those of the native level uint8, nodata 250",
    "overviews of another nodata": "uint8, nodata 3, those of the native level uint8, nodata 250",
    "overviews of more bands": "3 bands, the image 1",
    "overviews with a mask": "uint8, no nodata",
    "overviews elsewhere": "places it elsewhere",
    "overviews south up": "places it elsewhere",
    "overviews of another CRS": "another CRS",
}
KEPT = ("as it should be", "internal mask before internal overviews", "external mask before external overviews")
EVERYTHING = Window(0, SIDE // 4, 0, SIDE // 4)


@pytest.mark.parametrize("name", REASONS)
def test_unlike_overview_is_skipped_with_its_reason(tmp_path, name):
    RASTERS[name](tmp_path / "a.tif", RASTER)

    variables = {"NDVI": VariableSpec(id="NDVI", band=1)}
    info = open_raster_stack(make_spec("cog", tmp_path / "a.tif", variables=variables)).info

    (finding,) = info.findings
    assert finding.place == "a.tif"
    assert finding.severity == "warning"
    with pytest.raises(AssertionError, match=f"overviews 1.* are skipped, .*{REASONS[name]}.*gdaladdo"):
        raise AssertionError(finding.message)
    assert len(next(iter(info.variables.values())).stored_levels) == 1


@pytest.mark.parametrize("name", KEPT)
def test_overview_like_its_file_is_read(tmp_path, name):
    RASTERS[name](tmp_path / "a.tif", RASTER)

    reader = open_raster_stack(make_spec("cog", tmp_path / "a.tif"))

    assert reader.info.findings == ()
    pixels = reader.read_window("NDVI", index=0, level=2, window=EVERYTHING)
    encoding = reader.info.variables["NDVI"].encoding
    valid = encoding.valid(pixels.numbers) & (True if pixels.valid is None else pixels.valid)
    np.testing.assert_array_equal(valid, SHOWN[::4, ::4])


@pytest.mark.client
@pytest.mark.parametrize(
    ("name", "resampling", "commands"),
    [
        (
            "external mask before external overviews",
            Resampling.bilinear,
            ("gdal_translate -q --config GDAL_TIFF_INTERNAL_MASK YES a.tif b.tif", "gdaladdo -q -r average b.tif 2 4"),
        ),
        (
            "alpha in internal overviews",
            Resampling.mode,
            ("cp a.tif b.tif", "gdaladdo -q -clean b.tif", "gdaladdo -q -r nearest b.tif 2 4"),
        ),
    ],
)
def test_remedy_of_skipped_overviews_gives_overviews(tmp_path, name, resampling, commands):
    RASTERS[name](tmp_path / "a.tif", Raster(numbers=RASTER.numbers, shown=SHOWN, resampling=resampling))
    assert "are skipped" in open_raster_stack(make_spec("cog", tmp_path / "a.tif")).info.findings[0].message

    for command in commands:
        subprocess.run(command.split(), cwd=tmp_path, check=True)

    info = open_raster_stack(make_spec("cog", tmp_path / "b.tif")).info
    assert [finding for finding in info.findings if "skipped" in finding.message] == []
    assert len(info.variables["NDVI"].stored_levels) > 1


def test_overview_of_one_file_is_skipped_for_that_file(tmp_path):
    for day in ("20200101", "20200111", "20200121"):
        RASTERS["internal mask before internal overviews"](tmp_path / f"a_{day}.tif", RASTER)
    RASTERS["internal mask after internal overviews"](tmp_path / "a_20200131.tif", RASTER)

    reader = open_raster_stack(make_spec("cog", tmp_path / "a_*.tif"))
    pixels = reader.read_window("NDVI", index=3, level=2, window=EVERYTHING)

    np.testing.assert_array_equal(pixels.valid, SHOWN[::4, ::4])
    (finding,) = reader.unlike_files()
    assert finding.place == "a_20200131.tif"
    assert "overviews 1, 2, 3 are skipped" in finding.message


@pytest.mark.parametrize(
    "said",
    [{"flags": ((150, "cloud"),)}, {"valid_range": (0, 200)}, {"nodata": 0}, {"has_classes": True}],
    ids=lambda said: next(iter(said)),
)
def test_means_over_numbers_without_a_value_are_skipped(tmp_path, said):
    RASTERS["as it should be"](tmp_path / "a.tif", RASTER)

    spec = make_spec("cog", tmp_path / "a.tif", variables={"NDVI": VariableSpec(id="NDVI", **said)})
    info = open_raster_stack(spec).info

    assert any("its numbers are means (AVERAGE)" in each.message for each in info.findings)


def test_samples_of_classes_are_read_from_overviews(tmp_path):
    path = tmp_path / "a.tif"
    RASTERS["as it should be"](path, Raster(numbers=RASTER.numbers, shown=SHOWN, resampling=Resampling.mode))

    spec = make_spec("cog", path, variables={"NDVI": VariableSpec(id="NDVI", has_classes=True)})

    assert open_raster_stack(spec).info.findings == ()
    with rasterio.open(path, OVERVIEW_LEVEL=0) as overview:
        assert overview.tags(1)["RESAMPLING"] == "MODE"


@pytest.mark.parametrize(
    ("side", "mask", "resampling", "skipped"),
    [
        (160, "internal", "nearest", 0),
        (162, "internal", "nearest", 1),
        (160, "external", "average", 0),
        (186, "external", "average", 1),
        (186, "external", "bilinear", 1),
        (160, "external", "cubic", 1),
    ],
)
def test_mask_of_other_cells_is_skipped(tmp_path, side, mask, resampling, skipped):
    shown = np.random.default_rng(1).random((side, side)) > 0.4
    numbers = np.where(shown, 100, 250).astype("uint8")
    raster = Raster(numbers=numbers, shown=shown, resampling=Resampling[resampling])
    RASTERS[f"{mask} mask before {mask} overviews"](tmp_path / "a.tif", raster)
    reader = open_raster_stack(make_spec("cog", tmp_path / "a.tif"))
    levels = reader.info.variables["NDVI"].levels

    found = [
        reader.read_window("NDVI", index=0, level=level, window=Window(0, grid.height, 0, grid.width))
        for level, grid in enumerate(levels)
    ]

    assert len([each for each in reader.info.findings if "of other cells" in each.message]) == skipped
    assert {int(number) for each in found for number in each.numbers[each.valid]} == {100}
