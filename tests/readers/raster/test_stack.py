"""Stacks of raster files: their files, bands and metadata."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.domain import domain_of_periods
from chronotile.core.model.time.periods import DEKAD
from chronotile.readers.raster.open_stack import open_raster_stack
from chronotile.readers.raster.thinning import STRIP_VALUES
from tests.scenes import NODATA, Scene, make_spec, write_cogs, write_tif

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)
DATED = r"_(?P<time>\d{8})"


def findings_of(reader):
    return [(finding.severity, finding.place, finding.message) for finding in reader.info.findings]


@pytest.fixture
def dated_folders(tmp_path):
    """Two rasters of one name in folders of years, months and days."""
    for day in ("2019/06/04", "2019/07/14"):
        (tmp_path / day).mkdir(parents=True)
        write_tif(tmp_path / day / "ndvi.tif", SCENE.numbers(0), SCENE)
    return tmp_path


def count_open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def days_of(reader, variable="NDVI"):
    return [str(day)[:10] for day in reader.info.variables[variable].times.starts]


# Times.


@pytest.mark.parametrize("pattern", [r"(?P<time>\d{4}/\d{2}/\d{2})", None], ids=["configured", "not configured"])
def test_folders_give_the_times(dated_folders, pattern):
    reader = open_raster_stack(make_spec("cog", dated_folders / "*/*/*/ndvi.tif", time_pattern=pattern))

    assert days_of(reader) == ["2019-06-04", "2019-07-14"]


def test_match_of_time_pattern_without_a_time_is_reported(tmp_path):
    for day in ("04-06-2019", "2019-06-14"):
        write_tif(tmp_path / f"ndvi_{day}.tif", SCENE.numbers(0), SCENE)

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern="_(?P<time>[-0-9]+)"))

    ((_severity, place, message),) = findings_of(reader)
    assert place == "ndvi_04-06-2019.tif"
    assert message.startswith(
        "left out: found '04-06-2019', which is not a valid time; accepted are 20190604, 2019-06-04"
    )


def test_time_pattern_without_time_lists_its_matches(tmp_path):
    write_tif(tmp_path / "ndvi_04-06-2019.tif", SCENE.numbers(0), SCENE)

    with pytest.raises(UnsupportedSource, match="found '04-06-2019', which is not a valid time; accepted are"):
        open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern="_(?P<time>[-0-9]+)"))


def test_names_without_times_get_advice_for_dates_in_parts(tmp_path):
    write_tif(tmp_path / "ndvi_04-06-2019.tif", SCENE.numbers(0), SCENE)
    write_tif(tmp_path / "ndvi_14-06-2019.tif", SCENE.numbers(0), SCENE)

    with pytest.raises(UnsupportedSource, match=re.escape("a group for each part: (?P<year>…), (?P<month>…)")):
        open_raster_stack(make_spec("cog", tmp_path / "*.tif"))


def test_times_of_several_files_are_refused(tmp_path):
    times = domain_of_periods(np.datetime64("2020-01-01", "ns"), DEKAD, 2)
    for name in "ab":
        write_tif(tmp_path / f"{name}.tif", SCENE.numbers(0), SCENE)

    with pytest.raises(UnsupportedSource, match="times: is for the bands of one file, and 2 files match"):
        open_raster_stack(make_spec("cog", tmp_path / "*.tif", times=times))


# Variables.


def test_variables_have_separate_files(tmp_path):
    for name, t in (("RED", 0), ("NIR", 1)):
        write_tif(tmp_path / f"{name}_20200101.tif", SCENE.numbers(t), SCENE)

    reader = open_raster_stack(
        make_spec(
            "cog", tmp_path / "{variable}_*.tif", time_pattern=DATED, variables={"n": VariableSpec(id="n", name="NIR")}
        )
    )

    np.testing.assert_array_equal(reader.read_window("n", index=0, level=0, window=ALL).numbers, SCENE.numbers(1))


def test_variables_are_found_in_names(tmp_path):
    for name in ("S2_RED_20200101.tif", "S2_NIR_20200101.tif", "S2_NIR_20200102.tif", "S2_NIR_20200102.tif.aux.xml"):
        write_tif(tmp_path / name, SCENE.numbers(0), SCENE)

    reader = open_raster_stack(make_spec("cog", tmp_path / "S2_{variable}_*", time_pattern=DATED, variables={}))

    assert {name: len(info.times) for name, info in reader.info.variables.items()} == {"RED": 1, "NIR": 2}


def test_bands_are_variables_by_description_or_number(tmp_path):
    path = write_tif(tmp_path / "a.tif", SCENE.cube()[:4], SCENE, photometric="minisblack", alpha="unspecified")
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("green", "same", "same", None)

    reader = open_raster_stack(make_spec("cog", path, variables={}))

    assert list(reader.info.variables) == ["green", "band2", "band3", "band4"]
    np.testing.assert_array_equal(reader.read_window("band3", index=0, level=0, window=ALL).numbers, SCENE.numbers(2))


@pytest.mark.parametrize(
    ("variable", "band"),
    [(VariableSpec(id="x", band=2), 1), (VariableSpec(id="green"), 0), (VariableSpec(id="x", name="band3"), 2)],
    ids=["number", "id", "name"],
)
def test_configured_band_is_found(tmp_path, variable, band):
    path = write_tif(tmp_path / "a.tif", SCENE.cube()[:3], SCENE)
    with rasterio.open(path, "r+") as file:
        file.set_band_description(1, "green")

    reader = open_raster_stack(make_spec("cog", path, variables={variable.id: variable}))

    assert reader.read_cell(variable.id, indexes=[0], row=4, column=5).numbers == SCENE.number(band, 4, 5)


def test_unknown_band_is_refused_with_the_existing_ones(tmp_path):
    path = write_tif(tmp_path / "a.tif", np.stack([SCENE.numbers(0)] * 2), SCENE)

    with pytest.raises(UnsupportedSource, match=r"no band for NDVI; set band: to one of 1 \(band1\), 2 \(band2\)"):
        open_raster_stack(make_spec("cog", path))


# Times.


def test_one_band_a_time(tmp_path):
    times = domain_of_periods(np.datetime64("2020-01-01", "ns"), DEKAD, 5)
    path = write_tif(tmp_path / "a.tif", SCENE.cube(), SCENE)

    reader = open_raster_stack(make_spec("cog", path, times=times))

    assert reader.info.variables["NDVI"].times is times
    np.testing.assert_array_equal(reader.read_window("NDVI", index=4, level=0, window=ALL).numbers, SCENE.numbers(4))
    np.testing.assert_array_equal(
        reader.read_cell("NDVI", indexes=[3, 1], row=2, column=3).numbers, SCENE.cube()[[3, 1], 2, 3]
    )


def test_number_of_bands_must_equal_that_of_the_times(tmp_path):
    times = domain_of_periods(np.datetime64("2020-01-01", "ns"), DEKAD, 4)
    path = write_tif(tmp_path / "a.tif", SCENE.cube(), SCENE)

    with pytest.raises(UnsupportedSource, match="names 4 times for the 5 bands of the file"):
        open_raster_stack(make_spec("cog", path, times=times))


def test_times_are_read_from_names_without_a_pattern(tmp_path):
    spec = write_cogs(tmp_path, SCENE)

    assert days_of(open_raster_stack(replace(spec, time_pattern=None))) == list(SCENE.days)


def test_files_without_times_are_refused_with_the_remedy(tmp_path):
    for name in ("spring.tif", "summer.tif"):
        write_tif(tmp_path / name, SCENE.numbers(0), SCENE)

    with pytest.raises(UnsupportedSource, match=r"2 files match .* set time_pattern"):
        open_raster_stack(make_spec("cog", tmp_path / "*.tif"))


def test_single_file_has_no_time_unless_in_its_metadata(tmp_path):
    path = write_tif(tmp_path / "a_20200101.tif", SCENE.numbers(0), SCENE)
    plain = days_of(open_raster_stack(make_spec("cog", path)))
    with rasterio.open(path, "r+") as file:
        file.update_tags(TIME="2019-08-01")

    assert (plain, days_of(open_raster_stack(make_spec("cog", path)))) == ([], ["2019-08-01"])


def test_times_are_in_order_with_any_names(tmp_path):
    for name in ("a_20200301.tif", "b_20200101.tif", "c_20200201.tif"):
        write_tif(tmp_path / name, SCENE.numbers(0), SCENE)

    assert days_of(open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=DATED))) == [
        "2020-01-01",
        "2020-02-01",
        "2020-03-01",
    ]


def test_second_file_of_a_time_is_skipped_and_reported(tmp_path):
    for name in ("a_20200101.tif", "b_20200101.tif"):
        write_tif(tmp_path / name, SCENE.numbers(0), SCENE)

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=DATED))

    assert findings_of(reader) == [("warning", "b_20200101.tif", "left out: of the same time as a_20200101.tif")]


def test_file_without_time_is_skipped_and_reported(tmp_path):
    write_cogs(tmp_path, SCENE)
    write_tif(tmp_path / "NDVI_mean.tif", SCENE.numbers(0), SCENE)

    reader = open_raster_stack(make_spec("cog", tmp_path / "NDVI_*.tif", time_pattern=DATED))

    assert findings_of(reader) == [("warning", "NDVI_mean.tif", "left out: no time in its name")]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "not a valid regular expression"),
        (r"\d{8}", r"no group \(\?P<time>"),
        (r"(?P<time>x+)", "finds no time in any of 5"),
    ],
)
def test_pattern_of_times_must_make_sense(tmp_path, pattern, reason):
    spec = write_cogs(tmp_path, SCENE)

    with pytest.raises(UnsupportedSource, match=reason):
        open_raster_stack(replace(spec, time_pattern=pattern))


# Files that do not fit, or go.


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (replace(SCENE, width=41), "it is 41 x 30 pixels, most files 40 x 30"),
        (
            replace(SCENE, transform=SCENE.transform @ Affine.translation(1, 0)),
            "its corner is at (500010, 5650000), that of most files at (500000, 5650000)",
        ),
        (
            replace(SCENE, transform=SCENE.transform @ Affine.scale(2)),
            "its pixels are 20 x 20, those of most files 10 x 10",
        ),
        (replace(SCENE, crs="EPSG:32632"), "its CRS is EPSG:32632, that of most files EPSG:32631"),
        (
            replace(SCENE, crs=None),
            "it names no CRS, most files EPSG:32631; if that is its CRS, write it (gdal_edit -a_srs)",
        ),
    ],
    ids=["size", "place", "resolution", "system", "no system"],
)
def test_file_of_another_grid_is_skipped_and_reported_with_the_difference(tmp_path, other, difference):
    spec = write_cogs(tmp_path, SCENE)
    write_tif(tmp_path / "NDVI_20200111.tif", other.numbers(1), other)

    reader = open_raster_stack(spec)

    assert days_of(reader) == ["2020-01-01", "2020-01-21", "2020-02-01", "2020-02-11"]
    assert findings_of(reader)[0][1] == "NDVI_20200111.tif"
    assert findings_of(reader)[0][2].startswith(f"left out: {difference}")


def test_file_with_another_number_of_nameless_bands_is_skipped(tmp_path):
    spec = write_cogs(tmp_path, SCENE)
    write_tif(tmp_path / "NDVI_20200111.tif", SCENE.cube()[:2], SCENE)

    message = findings_of(open_raster_stack(spec))[0][2]

    assert message == "left out: it has 2 bands, most files 1; make it a collection of its own"


def test_grid_of_most_files_counts_even_if_the_first_has_another(tmp_path):
    spec = write_cogs(tmp_path, SCENE)
    other = replace(SCENE, width=41)
    write_tif(tmp_path / "NDVI_20200101.tif", other.numbers(0), other)

    reader = open_raster_stack(spec)

    assert days_of(reader) == list(SCENE.days[1:])
    assert reader.info.variables["NDVI"].grid.width == 40


@pytest.mark.parametrize("day", ["20200101", "20200121"], ids=["first", "third"])
def test_file_that_is_no_raster_is_an_error_among_findings(tmp_path, day):
    spec = write_cogs(tmp_path, SCENE)
    (tmp_path / f"NDVI_{day}.tif").write_bytes(b"half a file")

    reader = open_raster_stack(spec)

    assert len(days_of(reader)) == 4
    assert [finding[:2] for finding in findings_of(reader)] == [("error", f"NDVI_{day}.tif")]


def test_stack_of_damaged_files_is_refused(tmp_path):
    for day in ("20200101", "20200102"):
        (tmp_path / f"NDVI_{day}.tif").write_bytes(b"half a file")

    with pytest.raises(UnsupportedSource, match="none of 2 files can be served"):
        open_raster_stack(make_spec("cog", tmp_path / "NDVI_*.tif", time_pattern=DATED))


def test_file_replaced_by_another_grid_is_unavailable(tmp_path):
    reader = open_raster_stack(write_cogs(tmp_path, SCENE))
    other = replace(SCENE, width=50)
    write_tif(tmp_path / "NDVI_20200111.tif", other.numbers(1), other)

    with pytest.raises(SourceUnavailable, match="another grid"):
        reader.read_window("NDVI", index=1, level=0, window=ALL)


def test_other_dates_are_served_after_one_was_removed(tmp_path):
    reader = open_raster_stack(write_cogs(tmp_path, SCENE))
    (tmp_path / "NDVI_20200111.tif").unlink()

    with pytest.raises(SourceUnavailable):
        reader.read_window("NDVI", index=1, level=0, window=ALL)
    np.testing.assert_array_equal(reader.read_window("NDVI", index=2, level=0, window=ALL).numbers, SCENE.numbers(2))


def test_folder_is_refused_with_the_remedy(tmp_path):
    write_cogs(tmp_path, SCENE)

    with pytest.raises(UnsupportedSource, match=r"is a folder; name files in it, such as .*/\*\.tif"):
        open_raster_stack(make_spec("cog", tmp_path))


@pytest.mark.parametrize(
    "href",
    [
        *("https://example.org/*.tif", "https://example.org/[ab].tif?key=1", "s3://bucket/NDVI_*.tif"),
        *("s3://bucket/?.tif", "https://example.org/{variable}.tif", "https://example.org/a.tif?variable={variable}"),
    ],
)
def test_pattern_elsewhere_is_refused(href):
    with pytest.raises(UnsupportedSource, match="cannot be listed; name one file for each collection, or write"):
        open_raster_stack(make_spec("cog", href, variables={}))


def test_folder_with_magic_characters_in_its_name_is_found(tmp_path):
    folder = tmp_path / "tile[1]"
    folder.mkdir()
    path = write_tif(folder / "a.tif", SCENE.numbers(0), SCENE)

    assert open_raster_stack(make_spec("cog", path)).info.variables["NDVI"].grid.width == 40


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files cannot be counted here")
def test_files_stay_open_no_more_than_allowed(tmp_path):
    from chronotile.readers.raster.pool import HandlePool

    paths = [str(write_tif(tmp_path / f"{n}.tif", SCENE.numbers(0), SCENE)) for n in range(6)]
    pool = HandlePool(max_idle=2)
    before = count_open_files()

    for path in paths * 2:
        with pool.lend(path) as handle:
            assert handle.dataset.read(1).shape == (30, 40)

    assert count_open_files() - before == 2
    pool.close(paths)
    assert count_open_files() == before


def test_files_are_open_a_limited_number_of_times(tmp_path):
    from contextlib import ExitStack

    from chronotile.readers.raster.pool import MAX_SPARE_HANDLES, HandlePool

    paths = [str(write_tif(tmp_path / f"{n}.tif", SCENE.numbers(0), SCENE)) for n in range(3)]
    pool = HandlePool()

    with ExitStack() as lent:
        for path in paths * MAX_SPARE_HANDLES:
            lent.enter_context(pool.lend(path))

    assert pool.idle_count == len(paths) + MAX_SPARE_HANDLES
    pool.close(paths)


def test_open_files_and_decoded_blocks_share_one_budget(tmp_path):
    from rasterio.env import get_gdal_config

    from chronotile.readers.raster import gdal_cache
    from chronotile.readers.raster.pool import HANDLE_BYTES
    from chronotile.readers.reader_caches import ReaderCaches

    paths = [str(write_tif(tmp_path / f"{n}.tif", SCENE.numbers(0), SCENE)) for n in range(6)]

    caches = ReaderCaches()
    for path in paths:
        with caches.files.lend(path):
            handles = caches.files.idle_count + 1
    left = gdal_cache._reserved[caches.files] + caches.blocks.state.max_bytes
    caches.files.close(paths)

    assert left <= caches.sizes.raster_bytes - handles * HANDLE_BYTES
    assert get_gdal_config("GDAL_CACHEMAX") >= gdal_cache._reserved[caches.files]


def test_some_blocks_are_cached_with_any_number_of_open_files():
    from chronotile.readers.caches.byte_cache import CacheSizes
    from chronotile.readers.raster.pool import block_bytes

    assert block_bytes(10**6, CacheSizes()) == CacheSizes().raster_bytes // 4


# Metadata of pixels in files.


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("step", [1, 3])
def test_internal_mask_defines_valid_cells(tmp_path, level, step):
    path = tmp_path / "a.tif"
    shown = SCENE.numbers(0) % 3 > 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write_tif(path, SCENE.numbers(0), SCENE, nodata=None)
        with rasterio.open(path, "r+") as file:
            file.write_mask(shown)
            file.build_overviews([2])

    reader = open_raster_stack(make_spec("cog", path))
    grid = reader.info.variables["NDVI"].levels[level]
    pixels = reader.read_window("NDVI", index=0, level=level, window=Window(0, grid.height, 0, grid.width), step=step)

    with rasterio.open(path, **({"overview_level": 0} if level else {})) as file:
        np.testing.assert_array_equal(pixels.valid, file.read_masks(1)[::step, ::step] > 0)
        np.testing.assert_array_equal(pixels.numbers, file.read(1)[::step, ::step])
    assert 0 < pixels.valid.mean() < 1


def test_mask_of_a_cell_is_returned(tmp_path):
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, nodata=None)
    with rasterio.open(path, "r+") as file:
        file.write_mask(SCENE.numbers(0) % 2 == 0)

    valid = open_raster_stack(make_spec("cog", path)).read_cell("NDVI", indexes=[0, 0], row=1, column=1).valid

    assert list(valid) == [bool(SCENE.number(0, 1, 1) % 2 == 0)] * 2


def test_alpha_band_is_a_mask_and_no_variable(tmp_path):
    alpha = np.where(SCENE.numbers(0) > 100, 255, 0).astype("uint8")
    path = write_tif(tmp_path / "a.tif", np.stack([SCENE.numbers(0), alpha]), SCENE, nodata=None, alpha="yes")

    reader = open_raster_stack(make_spec("cog", path, variables={}))

    assert list(reader.info.variables) == ["band1"]
    np.testing.assert_array_equal(reader.read_window("band1", index=0, level=0, window=ALL).valid, alpha > 0)


def test_alpha_band_may_be_configured_as_a_variable(tmp_path):
    path = write_tif(tmp_path / "rgbn.tif", SCENE.cube()[:4], SCENE, nodata=None, photometric="rgb", alpha="yes")
    nir = VariableSpec(id="NIR", band=4)

    pixels = open_raster_stack(make_spec("cog", path, variables={"NIR": nir})).read_cell(
        "NIR", indexes=[0], row=1, column=2
    )

    assert (pixels.numbers, pixels.valid) == (SCENE.number(3, 1, 2), None)


def test_times_in_bands_take_none_for_a_mask(tmp_path):
    times = domain_of_periods(np.datetime64("2020-01-01", "ns"), DEKAD, 4)
    path = write_tif(tmp_path / "a.tif", SCENE.cube()[:4], SCENE, nodata=None, photometric="rgb", alpha="yes")

    pixels = open_raster_stack(make_spec("cog", path, times=times)).read_cell("NDVI", indexes=range(4), row=1, column=2)

    assert pixels.valid is None
    np.testing.assert_array_equal(pixels.numbers, SCENE.cube()[:4, 1, 2])


def test_numeric_nodata_stays_in_the_numbers(tmp_path):
    reader = open_raster_stack(write_cogs(tmp_path, SCENE))

    pixels = reader.read_window("NDVI", index=0, level=0, window=ALL)

    assert pixels.valid is None
    assert not reader.info.variables["NDVI"].encoding.valid(pixels.numbers)[pixels.numbers == NODATA].any()


def test_palette_becomes_classes_without_its_filling(tmp_path):
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), replace(SCENE, scale=1, offset=0), photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {1: (0, 0, 255, 255), 2: (0, 160, 0, 255), 9: (200, 10, 10, 255)})
        file.colorinterp = [ColorInterp.palette]

    info = open_raster_stack(make_spec("cog", path)).info.variables["NDVI"]

    assert info.is_categorical
    assert [(each.value, each.colour[:3]) for each in info.classes] == [
        (1, (0, 0, 255)),
        (2, (0, 160, 0)),
        (9, (200, 10, 10)),
    ]


def test_overviews_have_their_own_true_grids(tmp_path):
    scene = replace(SCENE, width=37, height=29)
    path = write_tif(tmp_path / "a.tif", scene.numbers(0), scene, overviews=(2, 4))

    levels = open_raster_stack(make_spec("cog", path)).info.variables["NDVI"].levels

    assert [(grid.width, grid.height) for grid in levels] == [(37, 29), (19, 15), (10, 8)]
    assert all(grid.bbox == pytest.approx(levels[0].bbox) for grid in levels)


def test_one_file_without_overviews_does_not_disable_those_of_others(tmp_path):
    spec = write_cogs(tmp_path, SCENE, overviews=(2, 4))
    write_tif(tmp_path / "NDVI_20200121.tif", SCENE.numbers(2), SCENE, overviews=(2,))

    reader = open_raster_stack(spec)

    assert [grid.width for grid in reader.info.variables["NDVI"].levels] == [40, 20, 10]
    assert findings_of(reader)[0][:2] == ("warning", "NDVI_20200121.tif")
    coarsest = Window(0, 8, 0, 10)
    np.testing.assert_array_equal(
        reader.read_window("NDVI", index=2, level=2, window=coarsest).numbers, SCENE.numbers(2)[::4, ::4]
    )
    np.testing.assert_array_equal(
        reader.read_window("NDVI", index=2, level=2, window=Window(1, 8, 2, 9), step=2).numbers,
        SCENE.numbers(2)[4::8, 8:36:8],
    )


def test_overviews_that_few_files_have_are_not_used(tmp_path):
    spec = write_cogs(tmp_path, SCENE, overviews=(2,))
    write_tif(tmp_path / "NDVI_20200121.tif", SCENE.numbers(2), SCENE, overviews=(2, 4))

    reader = open_raster_stack(spec)

    assert [grid.width for grid in reader.info.variables["NDVI"].levels] == [40, 20]


def test_file_replaced_by_one_without_overviews_is_read_from_its_native_cells(tmp_path):
    reader = open_raster_stack(write_cogs(tmp_path, SCENE))
    write_tif(tmp_path / "NDVI_20200121.tif", SCENE.numbers(2), SCENE)

    coarse = reader.read_window("NDVI", index=2, level=1, window=Window(0, 5, 0, 5)).numbers

    np.testing.assert_array_equal(coarse, SCENE.numbers(2)[:10:2, :10:2])
    np.testing.assert_array_equal(reader.read_window("NDVI", index=2, level=0, window=ALL).numbers, SCENE.numbers(2))


def test_overview_of_another_grid_is_unavailable(tmp_path):
    reader = open_raster_stack(write_cogs(tmp_path, SCENE))
    other = replace(SCENE, transform=SCENE.transform @ Affine.translation(4, 0))
    write_tif(tmp_path / "NDVI_20200121.tif", other.numbers(2), other, overviews=(2,))

    with pytest.raises(SourceUnavailable, match="another grid"):
        reader.read_window("NDVI", index=2, level=1, window=Window(0, 5, 0, 5))


@pytest.mark.slow
def test_large_window_is_thinned_exactly_across_its_strips(tmp_path):
    scene = replace(SCENE, width=5000, height=2000)
    path = write_tif(tmp_path / "a.tif", scene.numbers(0), scene, blockxsize=512, blockysize=512)
    window = Window(1, 2000, 3, 5000)
    assert window.width * window.height > 2 * STRIP_VALUES

    numbers = (
        open_raster_stack(make_spec("cog", path)).read_window("NDVI", index=0, level=0, window=window, step=7).numbers
    )

    np.testing.assert_array_equal(numbers, scene.numbers(0)[1::7, 3::7])
    assert numbers.base is None


def test_external_overviews_are_found(tmp_path):
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as file:
        file.build_overviews([2])
    assert Path(f"{path}.ovr").exists()

    assert len(open_raster_stack(make_spec("cog", path)).info.variables["NDVI"].levels) == 2


def test_rotated_grid_is_preserved(tmp_path):
    scene = replace(SCENE, transform=SCENE.transform @ Affine.rotation(30))

    grid = (
        open_raster_stack(make_spec("cog", write_tif(tmp_path / "a.tif", scene.numbers(0), scene)))
        .info.variables["NDVI"]
        .grid
    )

    assert grid.transform.almost_equals(scene.transform)


# Refused files, each with its reason.


def write_odd(path, **profile):
    profile = {"driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": "uint8"} | profile
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.zeros((1, 3, 4), dtype=profile["dtype"]))
    return make_spec("cog", path)


PLACED = {"transform": Affine(10, 0, 0, 0, -10, 0)}


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (PLACED, "names no coordinate reference system; set crs:"),
        (PLACED | {"crs": "EPSG:3857", "dtype": "complex64"}, "complex numbers"),
        (PLACED | {"crs": "+proj=eqc +R=3396190 +units=m"}, "radius 3396 km"),
        (PLACED | {"crs": 'LOCAL_CS["factory floor",UNIT["metre",1]]'}, "not tied to the Earth"),
    ],
    ids=["no system", "complex", "Mars", "local"],
)
def test_odd_file_is_refused_with_its_reason(tmp_path, profile, reason):
    with pytest.raises(UnsupportedSource, match=reason):
        open_raster_stack(write_odd(tmp_path / "odd.tif", **profile))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ({}, "not georeferenced"),
        (
            {"crs": "EPSG:4326", "gcps": [GroundControlPoint(0, 0, 4, 51), GroundControlPoint(3, 4, 5, 50)]},
            "control points",
        ),
    ],
    ids=["nothing", "control points"],
)
def test_file_without_grid_is_refused_even_if_a_system_is_configured(tmp_path, profile, reason):
    spec = write_odd(tmp_path / "odd.tif", **profile)

    with pytest.raises(UnsupportedSource, match=reason):
        open_raster_stack(replace(spec, crs="EPSG:4326"))
