"""A folder of data as a configuration."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray
from affine import Affine

from chronotile.archive.check import check_archive
from chronotile.archive.discovery import collection as collection_module
from chronotile.catalog.load import load_configuration
from chronotile.core.errors import ConfigurationError
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.instants import format_day
from chronotile.readers.kinds import kind_options
from tests.scenes import Scene, make_dataset, save_netcdf, save_zarr, write_scene, write_tif, write_zarr

SCENE = Scene()


def days_of(layer) -> list[str]:
    return [format_day(instant) for instant in layer.times.instants]


def layers_of(archive) -> dict[str, object]:
    return {layer.id: layer for layer in archive.services.catalogue.layers}


@pytest.fixture
def write(tmp_path):
    """Return `write(name, numbers=…, **profile)`, which writes a raster under that name and makes its folders."""

    def write_one(name: str, numbers: np.ndarray | None = None, scene: Scene = SCENE, **profile) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_tif(path, scene.numbers(0) if numbers is None else numbers, scene, **profile)

    return write_one


@pytest.mark.parametrize(
    ("names", "days"),
    [
        (("ndvi_20190604.tif", "ndvi_20190614.tif"), ["2019-06-04", "2019-06-14"]),
        (("ndvi_2019-06-04.tif", "ndvi_2019-06-14.tif"), ["2019-06-04", "2019-06-14"]),
        (("ndvi.A2019155.tif", "ndvi.A2019171.tif"), ["2019-06-04", "2019-06-20"]),
        (("ndvi_2019_155.tif", "ndvi_2019_171.tif"), ["2019-06-04", "2019-06-20"]),
        (("ndvi_201906.tif", "ndvi_201907.tif"), ["2019-06-01", "2019-07-01"]),
        (("ndvi_2019-06-d2.tif", "ndvi_2019-06-d3.tif"), ["2019-06-11", "2019-06-21"]),
        (("2019/06/ndvi_20190604.tif", "2019/07/ndvi_20190714.tif"), ["2019-06-04", "2019-07-14"]),
        (("20190604/ndvi.tif", "20190614/ndvi.tif"), ["2019-06-04", "2019-06-14"]),
        (("2019/06/04/ndvi.tif", "2019/07/14/ndvi.tif"), ["2019-06-04", "2019-07-14"]),
        (("ndvi/2019/06/04.tif", "ndvi/2019/06/14.tif"), ["2019-06-04", "2019-06-14"]),
        (("x/2019/06/ndvi.tif", "x/2019/07/ndvi.tif"), ["2019-06-01", "2019-07-01"]),
        (("2019/155/ndvi.tif", "2019/171/ndvi.tif"), ["2019-06-04", "2019-06-20"]),
        (("ndvi_20190604.tif",), ["2019-06-04"]),
        (("x-ndvi-P1Y-2018-v2.1.1.tif", "x-ndvi-P1Y-2019-v2.1.1.tif"), ["2018-01-01", "2019-01-01"]),
        (("ndvi_2022-Q1.tif", "ndvi_2022-Q2.tif"), ["2022-01-01", "2022-04-01"]),
        (
            (
                "ndvi_s20191551050310_e20191551059290_c20191551101000.tif",
                "ndvi_s20191561050310_e20191561059290_c20191561101000.tif",
            ),
            ["2019-06-04", "2019-06-05"],
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_rasters_are_one_layer_dated_by_their_names(write, open_at, tmp_path, names, days):
    for name in names:
        write(name)

    (layer,) = layers_of(open_at(tmp_path)).values()

    assert days_of(layer) == days
    assert layer.main_variable.name == "ndvi"


def test_folders_of_a_day_and_of_a_month_are_distinguished(write, open_at, tmp_path):
    for name in ("2019/06/ndvi.tif", "2019/07/ndvi.tif", "2019/06/04/ndvi.tif", "2019/06/05/ndvi.tif"):
        write(name)

    layers = layers_of(open_at(tmp_path)).values()

    assert sorted(map(days_of, layers)) == [["2019-06-01", "2019-07-01"], ["2019-06-04", "2019-06-05"]]


def test_names_that_differ_in_a_variable_are_one_collection(write, open_at, tmp_path):
    for name in ("NDVI", "LAI"):
        write(f"S2_{name}_20190604.tif")
        write(f"S2_{name}_20190614.tif")

    archive = open_at(tmp_path)

    assert sorted(layers_of(archive)) == ["s2.LAI", "s2.NDVI"]
    assert [style.id for style in layers_of(archive)["s2.LAI"].styles] == ["lai", "greys", "viridis"]


@pytest.mark.parametrize(
    ("names", "layers"),
    [
        (("S2A_T31UFS_20200101_NDVI", "S2B_T31UFS_20200106_NDVI"), {"s2-t31ufs-ndvi.NDVI": 2}),
        (("LC08_NDVI_20200101", "LC09_NDVI_20220103"), {"lc-ndvi.NDVI": 2}),
        (("LC08_B4_20200101", "LE07_B4_20200109"), {"lc08-b4.B4": 1, "le07-b4.B4": 1}),
        (("S2A_NDVI_20200101", "S2B_NDVI_20200101"), {"s2a-ndvi.NDVI": 1, "s2b-ndvi.NDVI": 1}),
    ],
    ids=["Sentinel-2", "Landsat", "other bands", "one date"],
)
def test_satellites_of_one_build_are_one_collection(write, open_at, tmp_path, names, layers):
    for name in names:
        write(f"{name}.tif")

    archive = open_at(tmp_path)

    assert {name: len(layer.times) for name, layer in layers_of(archive).items()} == layers
    told = [each.message for each in archive.findings if "differ only in the satellite" in each.message]
    assert len(told) == (len(layers) > 1)


def test_satellites_on_other_grids_are_separate_collections(write, open_at, tmp_path):
    write("S2A_NDVI_20200101.tif")
    write("S2B_NDVI_20200106.tif", scene=Scene(transform=SCENE.transform @ Affine.translation(1, 0)))

    assert list(layers_of(open_at(tmp_path))) == ["s2a-ndvi.NDVI", "s2b-ndvi.NDVI"]


def test_satellites_with_a_file_that_does_not_open_are_separate_collections(write, open_at, tmp_path):
    for name in ("S2A_NDVI_20200101", "S2A_NDVI_20200111", "S2B_NDVI_20200106"):
        write(f"{name}.tif")
    (tmp_path / "S2A_NDVI_20200101.tif").write_bytes(b"II*\0")

    assert list(layers_of(open_at(tmp_path))) == ["s2a-ndvi.NDVI", "s2b-ndvi.NDVI"]


@pytest.mark.parametrize("is_apart", [False, True], ids=["of one grid", "tiles"])
def test_times_of_day_without_seconds_are_times_of_files_of_one_grid(write, open_at, tmp_path, is_apart):
    other = Scene(transform=SCENE.transform @ Affine.translation(7, 0)) if is_apart else SCENE
    write("S2A_NDVI_20240101_1032.tif")
    write("S2A_NDVI_20240102_1047.tif", scene=other)

    layers = layers_of(open_at(tmp_path))

    if is_apart:
        assert sorted(map(days_of, layers.values())) == [["2024-01-01"], ["2024-01-02"]]
    else:
        times = layers["s2a-ndvi.NDVI"].times.instants
        assert times.tolist() == np.array(["2024-01-01T10:32", "2024-01-02T10:47"], dtype="datetime64[ns]").tolist()


SCENE_OF_LANDSAT = "LC08_L2SP_198024_{day}_20220820_02_T1"


def test_scenes_of_landsat_are_one_collection_of_their_assets(write, open_at, tmp_path):
    for day in ("20200515", "20200616"):
        for number, asset in enumerate(("SR_B4", "SR_B5", "ST_B10", "ST_QA", "QA_RADSAT", "QA_PIXEL")):
            name = SCENE_OF_LANDSAT.format(day=day)
            numbers = np.full_like(SCENE.numbers(0), 21824 + number, dtype="uint16")
            write(f"{name}/{name}_{asset}.TIF", numbers, scene=Scene(scale=1.0, offset=0.0), nodata=0)

    archive = open_at(tmp_path)

    (collection,) = archive.configuration.collections
    assert collection == "lc08-l2sp-198024-02-t1"
    layers = layers_of(archive)
    assert sorted(layers) == sorted(
        f"{collection}.{name}" for name in ("QA_PIXEL", "QA_RADSAT", "SR_B4", "SR_B5", "ST_B10", "ST_QA")
    )
    assert {tuple(days_of(layer)) for layer in layers.values()} == {("2020-05-15", "2020-06-16")}
    assert [style.id for style in layers[f"{collection}.QA_PIXEL"].styles] == ["landsat-qa"]
    reader = archive.services.readers[collection]
    window = reader.read_window("QA_PIXEL", index=0, level=0, window=Window(0, 1, 0, 1))
    assert window.numbers.tolist() == [[21829]]


@pytest.mark.parametrize(
    ("names", "step"),
    [
        (("a_20190604_31UFS_NDVI.tif", "a_20190604_31UES_NDVI.tif"), 30),
        (("a_20190604_mean.tif", "a_20190604_deviation.tif"), 0),
        (("a_20190604_NDVI_v1.tif", "a_20190604_NDVI_v2.tif"), 0),
        (("20190604_NDVI_mean.tif", "20190604_rain.tif"), 0),
        (("a_20190604.tif", "a_20190604_NDVI_b.tif"), 0),
    ],
    ids=["tiles", "no known word", "versions", "only a date before", "nothing after"],
)
def test_other_words_after_a_date_are_no_variables(write, open_at, tmp_path, names, step):
    for number, name in enumerate(names):
        write(name, scene=Scene(transform=SCENE.transform @ Affine.translation(step * number, 0)))

    assert len(open_at(tmp_path).configuration.collections) == len(names)


def test_versions_of_one_thing_are_noted_with_the_pattern_of_both(write, open_at, tmp_path):
    for name in ("ndvi_v1_20200101", "ndvi_v1_20200111", "ndvi_v2_20200101", "ndvi_v2_20200111"):
        write(f"{name}.tif")

    (finding,) = [each for each in open_at(tmp_path).findings if "differ only" in each.message]

    assert finding.message.startswith("ndvi-v1, ndvi-v2 differ only in the version (v1, v2): ")
    assert finding.message.endswith("href: ndvi_v?_*.tif")


def test_id_is_the_slug_of_the_common_part_of_the_names(write, open_at, tmp_path):
    write("My Region_NDVI_20190604.tif")
    write("My Region_NDVI_20190614.tif")

    assert list(open_at(tmp_path).configuration.collections) == ["my-region-ndvi"]


def test_nameless_files_go_by_their_folder(write, open_at, tmp_path):
    write("ndvi/20190604.tif")
    write("ndvi/20190614.tif")

    assert list(layers_of(open_at(tmp_path))) == ["ndvi.ndvi"]


def test_alike_ids_are_numbered(write, open_at, tmp_path):
    write("a/dem.tif")
    write("b/dem.tif")

    assert list(open_at(tmp_path).configuration.collections) == ["dem", "dem-2"]


def test_colours_of_bands_make_a_true_colour_composite(write, open_at, tmp_path):
    write("photo.tif", np.stack([SCENE.numbers(t) for t in range(3)]), photometric="RGB")

    archive = open_at(tmp_path)

    assert list(layers_of(archive)) == ["photo.RED", "photo.GREEN", "photo.BLUE", "photo.TRUE_COLOUR"]
    assert layers_of(archive)["photo.TRUE_COLOUR"].is_composite


def test_described_bands_are_variables_of_that_name(write, open_at, tmp_path):
    path = write("scene.tif", np.stack([SCENE.numbers(t) for t in range(2)]))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("NDVI", "view angle")

    assert list(layers_of(open_at(tmp_path))) == ["scene.NDVI", "scene.view_angle"]


def test_bands_described_by_days_are_times_of_one_variable(write, open_at, tmp_path):
    path = write("ndvi_stack.tif", np.stack([SCENE.numbers(t) for t in range(3)]))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("2019-06-01", "2019-06-11", "2019-06-21")

    (layer,) = layers_of(open_at(tmp_path)).values()

    assert days_of(layer) == ["2019-06-01", "2019-06-11", "2019-06-21"]


@pytest.fixture
def write_dated(write):
    """Return `write_dated("ndvi.tif")`, which writes a file with bands of three days and their descriptions."""

    def write_bands(name):
        path = write(name, np.stack([SCENE.numbers(t) for t in range(3)]))
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = tuple(f"NDVI 2019-06-{day}T00:00:00Z" for day in ("01", "11", "21"))

    return write_bands


def test_days_of_bands_override_those_of_the_file_name(write_dated, open_at, tmp_path):
    write_dated("ndvi_2019-06-01_2019-06-21.tif")

    (layer,) = layers_of(open_at(tmp_path)).values()

    assert days_of(layer) == ["2019-06-01", "2019-06-11", "2019-06-21"]


@pytest.fixture
def write_years(write):
    """Return `write_years("ndvi_{}.tif")`, which writes one file per year, with bands of two days."""

    def write_all(name, years=(2019, 2020)):
        for place, year in enumerate(years):
            path = write(name.format(year), np.stack([SCENE.numbers(2 * place + t) for t in range(2)]))
            with rasterio.open(path, "r+") as dataset:
                dataset.descriptions = (f"{year}-06-01", f"{year}-06-11")

    return write_all


YEARS = ["2019-06-01", "2019-06-11", "2020-06-01", "2020-06-11"]


@pytest.mark.parametrize("name", ["ndvi_{}.tif", "ndvi_{}0601.tif"], ids=["year", "day"])
def test_files_with_bands_of_several_dates_each_join(write, write_years, open_at, tmp_path, name):
    write_years(name)
    write("dem_2019.tif")
    write("dem_2020.tif")

    archive = open_at(tmp_path)

    assert days_of(layers_of(archive)["ndvi.ndvi"]) == YEARS
    assert len(archive.configuration.collections) == 2
    assert archive.configuration.collections["ndvi"].source.time_pattern is None


def test_written_configuration_of_yearly_files_serves_the_same(write_years, open_at, tmp_path):
    write_years("ndvi_{}.tif")
    file = tmp_path / "chronotile.yaml"
    file.write_text(open_at(tmp_path).discovery.text(tmp_path))

    assert days_of(layers_of(open_at(file))["ndvi.ndvi"]) == YEARS


def test_variables_with_many_dated_bands_each_have_all_dates(write_years, open_at, tmp_path):
    for word in ("NDVI", "LAI"):
        write_years(f"S2_{word}_{{}}.tif")

    layers = layers_of(open_at(tmp_path))

    assert {name: days_of(layer) for name, layer in layers.items()} == {"s2.NDVI": YEARS, "s2.LAI": YEARS}


@pytest.mark.parametrize("kind", ["zarr-v2", "zarr-v3", "zarr-zip", "netcdf-3", "netcdf-4"])
def test_cube_is_a_collection_with_its_own_times(tmp_path, open_at, kind):
    write_scene(kind, tmp_path, SCENE)

    (layer,) = layers_of(open_at(tmp_path)).values()

    assert layer.id == "made.NDVI"
    assert days_of(layer) == list(SCENE.days)
    assert layer.main_variable.encoding.scale == SCENE.scale


def test_store_itself_may_be_named(tmp_path, open_at):
    spec = write_scene("zarr-v3", tmp_path, SCENE)

    assert list(layers_of(open_at(Path(spec.href)))) == ["made.NDVI"]


@pytest.mark.parametrize("version", [2, 3])
def test_folder_of_levels_is_one_collection_with_overviews(tmp_path, open_at, version):
    store = Path(write_zarr(tmp_path, SCENE, version=version).href)
    levels = tmp_path / "scene.levels"
    levels.mkdir()
    for level in ("0", "1"):
        (store / level).rename(levels / f"{level}.zarr")
    shutil.rmtree(store)

    archive = open_at(tmp_path)

    assert days_of(layers_of(archive)["scene.NDVI"]) == [format_day(each) for each in SCENE.times]
    reader = archive.services.readers["scene"]
    assert [(grid.width, grid.height) for grid in reader.info.variables["NDVI"].levels] == [(40, 30), (20, 15)]
    for level, name in enumerate(("0.zarr", "1.zarr")):
        with xarray.open_zarr(levels / name, consolidated=False, mask_and_scale=False) as stored:
            numbers = stored["NDVI"].isel(time=1).values
        window = Window(0, numbers.shape[0], 0, numbers.shape[1])
        assert np.array_equal(reader.read_window("NDVI", index=1, level=level, window=window).numbers, numbers)


def test_netcdf_file_without_times_is_dated_by_its_name(tmp_path, open_at):
    dataset = make_dataset(SCENE).isel(time=0, drop=True)
    save_netcdf(dataset, tmp_path / "ndvi_2019-06-04.nc")

    (layer,) = layers_of(open_at(tmp_path)).values()

    assert days_of(layer) == ["2019-06-04"]


def test_array_whose_name_is_no_id_gets_one(tmp_path, open_at):
    dataset = make_dataset(SCENE).rename({"NDVI": "__array one__"})
    save_zarr(dataset, tmp_path / "cube.zarr")

    assert list(layers_of(open_at(tmp_path))) == ["cube.array_one"]


def test_unknown_variable_is_grey_over_the_sampled_values(write, open_at, tmp_path):
    write("height.tif")

    (layer,) = layers_of(open_at(tmp_path)).values()

    values = SCENE.numbers(0)[SCENE.numbers(0) != 255] * SCENE.scale + SCENE.offset
    low, high = np.percentile(values, (2, 98))
    assert layer.styles[0].id == "greys"
    assert layer.styles[0].range == pytest.approx((low, high), abs=0.02)


def test_file_that_does_not_open_is_reported_and_the_others_are_served(write, open_at, tmp_path):
    write("good.tif")
    (tmp_path / "bad.tif").write_bytes(b"no TIFF")

    archive = open_at(tmp_path)

    assert list(layers_of(archive)) == ["good.band1"]
    assert [(each.severity, each.place) for each in archive.findings] == [("error", "bad.tif")]


@pytest.mark.parametrize(
    ("names", "severity"),
    [(("ndvi_04-06-2019.tif", "ndvi_14-06-2019.tif"), "warning"), (("height.tif", "slope.tif"), "note")],
    ids=["numbers", "words"],
)
def test_files_of_one_grid_without_times_are_reported_once(write, open_at, tmp_path, names, severity):
    for name in names:
        write(name)

    (finding,) = open_at(tmp_path).findings

    assert finding.severity == severity
    assert finding.message.startswith(f"2 files on one grid without times in their names, such as {names[0]}")


@pytest.mark.parametrize(
    ("form", "days", "pattern"),
    [
        ("{tile}/ndvi_{day}.tif", 2, "*/ndvi_*.tif"),
        ("{tile}/ndvi_{day}.tif", 1, "*/ndvi_*.tif"),
        ("2020/{day}/S2A_{day}_{tile}_V200/S2A_{day}_{tile}_NDVI.tif", 2, "*/*/S2A_*_*_V200/S2A_*_*_NDVI.tif"),
        ("X0001_Y{tile}/{day}_B04.tif", 2, "*/*_B04.tif"),
    ],
)
@pytest.mark.parametrize("catalogue", [None, "catalog.json"])
def test_tiles_of_one_dataset_are_reported_with_their_pattern(write, open_at, tmp_path, form, days, pattern, catalogue):
    for number, tile in enumerate(("31UES", "31UFS", "31UGS")):
        scene = Scene(transform=SCENE.transform @ Affine.translation(30 * number, 0))
        for day in ("20200101", "20200111")[:days]:
            write(form.format(tile=tile, day=day), scene=scene)
    if catalogue is not None:
        (tmp_path / catalogue).write_text("{}")

    (finding,) = (each for each in open_at(tmp_path).findings if "tiles" in each.message)

    beside = f", or serve the catalogue {catalogue} in this folder" if catalogue else ""
    assert (finding.severity, finding.place) == ("warning", tmp_path.name)
    assert finding.message.startswith("3 collections, such as ")
    assert finding.message.endswith(f"with tiles: true and href: {pattern}{beside}")


@pytest.mark.parametrize(
    ("names", "step"),
    [
        (("a1/x_20200101.tif", "a2/x_20200101.tif", "a3/x_20200101.tif"), 0),
        (("a1/x_20200101.tif", "a2/x_20200101.tif"), 30),
        (("dem_1.tif", "dem_2.tif", "dem_3.tif"), 30),
        (("lai_20200101.tif", "soil_20200101.tif", "rain_20200101.tif"), 30),
    ],
    ids=["one-grid", "two", "undated", "words"],
)
def test_possibly_different_files_are_not_reported_as_tiles(write, open_at, tmp_path, names, step):
    for number, name in enumerate(names):
        write(name, scene=Scene(transform=SCENE.transform @ Affine.translation(step * number, 0)))

    assert not [each for each in open_at(tmp_path).findings if "tiles" in each.message]


def test_values_that_lack_a_scale_are_noted(tmp_path, open_at):
    scene = Scene(scale=1.0, offset=0.0)
    write_tif(tmp_path / "NDVI_20190604.tif", scene.numbers(0), scene)

    archive = open_at(tmp_path)

    assert ["without a scale" in finding.message for finding in archive.findings] == [True]


def ranges_of(archive) -> list[tuple[float, float]]:
    return [layer.styles[0].range for layer in archive.services.catalogue.layers]


def test_many_nameless_bands_are_noted_and_share_a_range(write, open_at, tmp_path):
    write("stack.tif", np.stack([SCENE.numbers(0).astype("int32") + 1000 * band for band in range(14)]))

    archive = open_at(tmp_path)

    assert ["14 bands" in finding.place for finding in archive.findings] == [True]
    ranges = ranges_of(archive)
    assert ranges[12] == ranges[13]


@pytest.fixture
def write_levels(write):
    """Return `write_levels()`, which writes a file of 14 named bands with increasing values."""

    def write_bands():
        path = write("stack.tif", np.stack([SCENE.numbers(0).astype("int32") + 1000 * band for band in range(14)]))
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = [f"HGT_{100 - band}" for band in range(14)]

    return write_bands


def test_each_of_many_variables_has_a_separate_range(write_levels, open_at, tmp_path):
    write_levels()

    ranges = ranges_of(open_at(tmp_path))

    assert len(ranges) == 14
    assert all(lower[0] < upper[0] for lower, upper in itertools.pairwise(ranges))


def test_values_beyond_the_sample_are_noted_and_have_the_range_of_the_others(
    write_levels, open_at, tmp_path, monkeypatch
):
    monkeypatch.setattr(collection_module, "MAX_CELLS", 13 * collection_module.MIN_CELLS)
    write_levels()

    archive = open_at(tmp_path)

    assert ["1 variable" in finding.place for finding in archive.findings if "range:" in finding.message] == [True]
    ranges = ranges_of(archive)
    assert ranges[13][0] == pytest.approx(ranges[0][0], abs=1.5)
    assert ranges[13][1] == pytest.approx(ranges[12][1], abs=1.5)


def test_file_with_unreadable_pixels_is_skipped(write, open_at, tmp_path):
    write("good.tif")
    path = write("bad.tif", np.random.default_rng(1).integers(0, 250, (512, 512), "uint8"))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(4096))

    archive = open_at(tmp_path)

    assert list(layers_of(archive)) == ["good.band1"]
    assert [(each.severity, each.place) for each in archive.findings] == [("error", "bad.tif")]


def test_store_with_a_name_that_cannot_be_configured_is_reported(write, open_at, tmp_path):
    write("good.tif")
    save_netcdf(make_dataset(SCENE), tmp_path / "a{b}.nc")

    (finding,) = open_at(tmp_path).findings

    assert "rename it" in finding.message


def test_missing_path_is_reported(open_at, tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"absent does not exist; name a folder or file of data; .* chronotile demo"
    ):
        open_at(tmp_path / "absent")


def test_file_of_any_name_is_opened_by_its_path(write, open_at, tmp_path):
    path = write("dem.tif").rename(tmp_path / "dem.data")

    assert list(layers_of(open_at(path))) == ["dem.band1"]


def test_folder_without_data_lists_the_skipped_files(tmp_path, open_at):
    (tmp_path / "notes.csv").touch()

    with pytest.raises(ConfigurationError) as caught:
        open_at(tmp_path)

    said, _, hint = caught.value.mistakes[0].partition("; ")
    assert said.endswith("holds no GeoTIFF, JPEG 2000, VRT, NetCDF or Zarr")
    assert hint == "name a folder or file of data; without any of your own: chronotile demo"
    assert "notes.csv" in caught.value.mistakes[1]


def test_each_file_that_cannot_be_served_is_a_line(tmp_path, open_at):
    for name in ("a.tif", "b.nc"):
        (tmp_path / name).write_bytes(b"nothing")

    with pytest.raises(ConfigurationError) as caught:
        open_at(tmp_path)

    assert [line.partition(":")[0] for line in caught.value.mistakes] == ["a.tif", "b.nc"]


@pytest.fixture
def varied(write, tmp_path) -> Path:
    """Return a folder with one collection of each kind."""
    for day in ("20190604", "20190614"):
        write(f"S2_NDVI_{day}.tif")
        write(f"S2_LAI_{day}.tif")
        write(f"by_day/{day}/height [m].tif")
        write(f"by_month/{day[:4]}/{day[4:6]}/{day[6:]}/slope.tif")
    write("photo.tif", np.stack([SCENE.numbers(t) for t in range(3)]), photometric="RGB")
    write_scene("zarr-v3", tmp_path, SCENE)
    write_scene("netcdf-4", tmp_path, SCENE)
    (tmp_path / "notes.csv").touch()
    return tmp_path


def test_written_configuration_serves_the_same(varied, open_at):
    found = open_at(varied)
    file = varied / "config" / "chronotile.yaml"
    file.parent.mkdir()

    file.write_text(found.discovery.text(file.parent), encoding="utf-8")
    written = open_at(file)

    assert _told(written) == _told(found)
    assert written.findings == ()


def test_written_configuration_moves_with_its_folder(varied, open_at, tmp_path_factory):
    file = varied / "chronotile.yaml"
    file.write_text(open_at(varied).discovery.text(varied), encoding="utf-8")
    moved = tmp_path_factory.mktemp("elsewhere") / "data"
    shutil.copytree(varied, moved)

    assert _told(open_at(moved / file.name)) == _told(open_at(file))


def test_written_configuration_lists_served_and_skipped_files(varied, open_at):
    text = open_at(varied).discovery.text(varied)

    assert "# notes.csv: skipped: a table" in text
    assert "# 2 times 2019-06-04 to 2019-06-14, 40 x 30 px in EPSG:32631, uint8" in text


def test_written_configuration_explains_ranges_of_unscaled_numbers(tmp_path, open_at):
    scene = Scene(scale=1.0, offset=0.0)
    write_tif(tmp_path / "NDVI_20190604.tif", 40 + scene.numbers(0) % 50, scene)
    file = tmp_path / "chronotile.yaml"
    text = open_at(tmp_path).discovery.text(tmp_path)
    lines = [line.strip() for line in text.splitlines()]

    (bounds,) = [line for line in lines if line.startswith("range:")]
    assert "# range: from a sample of the newest times; widen it if values of other seasons lie beyond" in lines
    assert any(line.startswith("# NDVI: if you set scale: and offset:, remove range: or ") for line in lines)

    for kept, count in (f"{bounds}\n        ", 1), ("", 0):
        file.write_text(text.replace(bounds, f"{kept}scale: 0.004\n        offset: -0.08"))
        messages = [finding.message for finding in check_archive(open_at(file))]
        assert sum("all have one colour" in message for message in messages) == count


def test_written_ranges_of_styles_have_no_comment(write, open_at, tmp_path):
    write("NDVI_20190604.tif")

    text = open_at(tmp_path).discovery.text(tmp_path)

    assert "range: [-0.08, 0.92]" in text
    assert "# range:" not in text


def test_written_configuration_is_without_mistakes(varied, open_at):
    file = varied / "chronotile.yaml"
    file.write_text(open_at(varied).discovery.text(varied), encoding="utf-8")

    assert load_configuration(file, kinds=kind_options(), environment={}).collections


def _told(archive) -> list[object]:
    """Return the description of each layer for clients."""
    return [
        (layer.id, layer.title, days_of(layer), layer.styles, layer.main_variable.grid, layer.main_variable.encoding)
        for layer in archive.services.catalogue.layers
    ]
