import json
import shutil
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
import shapely
import xarray as xr
import zarr

from chronotile.archive.open import open_archive
from chronotile.catalog.load import load_configuration
from chronotile.core.errors import ConfigurationError, InvalidParameter
from chronotile.demo import DemoPlan, make_demo
from chronotile.demo.overviews import overviews_of
from chronotile.demo.scene import open_scene
from chronotile.pipeline.styling.load import load_styles, style_folders
from chronotile.readers.kinds import kind_options

PLAN = DemoPlan(size_px=64, dekads=6, levels=3, picture_days=("2024-05-12", "2024-09-17"))
TINY = DemoPlan(size_px=16, dekads=1, levels=2, picture_days=("2024-06-26",))

DAY = np.datetime64("2024-12-31", "ns")
VARIABLES = ("NDVI", "FAPAR", "FCOVER", "LAI")
STARTS = ("2020-01-01", "2020-01-11", "2020-01-21", "2020-02-01", "2020-02-11", "2020-02-21")


@pytest.fixture(scope="module", autouse=True)
def _landscape_once():
    """The landscape of a plan is read once: that takes far longer than to write a small archive."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chronotile.demo.archive.open_scene", cache(open_scene))
        yield


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("demo"), plan=PLAN).parent


@pytest.fixture(scope="module")
def tiny_demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("tiny"), plan=TINY).parent


@pytest.fixture
def tiny(tiny_demo, tmp_path):
    """Return a copy of the tiny demo, in `tmp_path`."""
    return Path(shutil.copytree(tiny_demo, tmp_path, dirs_exist_ok=True))


@pytest.fixture(scope="module")
def numbers(demo):
    return {name: zarr.open_group(demo / "biopar.zarr", mode="r")[name][:] for name in VARIABLES}


def open_level(demo, level, **options):
    return xr.open_zarr(demo / "biopar.zarr" / (str(level) if level else ""), **options)


def files_in(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mark(folder, **changes):
    marker = folder / "chronotile-demo.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), **changes}))


def shapes_of(demo, name):
    features = json.loads((demo / "places" / f"{name}.geojson").read_text())["features"]
    degrees = np.array([shapely.geometry.shape(feature["geometry"]) for feature in features])
    turn = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True).transform
    return shapely.transform(degrees, lambda xy: np.column_stack(turn(*xy.T)))


# Its places


def test_regions_share_the_landscape_among_them(demo):
    regions = shapes_of(demo, "regions")

    assert len(regions) >= 2
    assert shapely.union_all(regions).area == pytest.approx(shapely.area(regions).sum(), rel=1e-5)
    assert shapely.area(regions).sum() == pytest.approx((64 * 100.0) ** 2, rel=1e-3)


def test_fields_are_adjacent(demo):
    fields = shapes_of(demo, "fields")

    assert len(fields) > 50
    assert shapely.is_valid(fields).all()
    assert shapely.union_all(fields).area == pytest.approx(shapely.area(fields).sum(), rel=1e-4)


def test_the_archive_is_served_with_its_places(demo):
    with closing(open_archive(demo / "demo.yaml", environment={}, clock=lambda: DAY)) as archive:
        places = archive.services.catalogue.places
        findings = [finding for finding in archive.findings if finding.place.startswith("places")]

    assert {name: len(each) > 1 for name, each in places.items()} == {"regions": True, "fields": True}
    assert findings == []


# The archive as a folder


def test_the_same_archive_is_made_each_time(demo, tmp_path):
    again = make_demo(tmp_path, plan=PLAN).parent

    assert files_in(again) == files_in(demo)


def test_complete_archive_is_not_changed(demo):
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    told = []

    make_demo(demo, plan=PLAN, progress=lambda what, share: told.append((what, share)))

    assert {path: path.stat().st_mtime_ns for path in demo.rglob("*")} == before
    assert told == []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda folder: (folder / "demo.yaml").unlink(), id="configuration lost"),
        pytest.param(lambda folder: shutil.rmtree(folder / "biopar.zarr"), id="cube not moved in"),
        pytest.param(lambda folder: (folder / "toc" / "RED_20240626.tif").write_bytes(b"half"), id="picture spoilt"),
    ],
)
def test_an_archive_that_was_half_moved_in_is_made_again(tiny, spoil):
    whole = files_in(tiny)
    spoil(tiny)
    mark(tiny, plan=None)

    make_demo(tiny, plan=TINY)

    assert files_in(tiny) == whole


def test_an_archive_of_another_version_is_made_again(tiny):
    whole = files_in(tiny)
    mark(tiny, version=0)

    make_demo(tiny, plan=TINY)

    assert files_in(tiny) == whole


@pytest.mark.parametrize("name", ["biopar.zarr", "toc", "places", "demo.yaml"])
def test_files_of_others_under_our_names_are_not_replaced(tmp_path, name):
    (tmp_path / name).mkdir()

    with pytest.raises(InvalidParameter, match=f"{name} that is not a demo archive"):
        make_demo(tmp_path, plan=TINY)

    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_archive_of_another_plan_is_made_again(tiny):
    make_demo(tiny, plan=replace(TINY, picture_days=("2024-07-29",)))

    assert sorted(path.name for path in (tiny / "toc").iterdir()) == [
        "BLUE_20240729.tif",
        "GREEN_20240729.tif",
        "RED_20240729.tif",
    ]


def test_an_interrupted_archive_leaves_nothing(tmp_path):
    def stop(what, _share):
        if what == "pictures":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path, plan=TINY, progress=stop)

    assert list(tmp_path.iterdir()) == []


def test_other_files_of_the_folder_are_not_changed(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    make_demo(tmp_path, plan=TINY)

    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {
        *("mine.txt", "biopar.zarr", "toc", "places", "demo.yaml", "chronotile-demo.json"),
    }


def test_progress_rises_to_one(tmp_path):
    shares = []

    make_demo(tmp_path, plan=TINY, progress=lambda _what, share: shares.append(share))

    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("size_px", [0, 601])
def test_a_demo_larger_than_its_landscape_is_refused(size_px):
    with pytest.raises(InvalidParameter, match="1 to 600"):
        DemoPlan(size_px=size_px)


# The cube, as xarray and zarr read it without us


@pytest.mark.parametrize("level", range(PLAN.levels))
def test_xarray_decodes_times_and_coordinates_of_every_level(demo, level):
    cube = open_level(demo, level)

    size, pixel = 64 >> level, 100.0 * 2**level
    np.testing.assert_array_equal(cube.time.values, np.array(STARTS, dtype="datetime64[ns]"))
    np.testing.assert_array_equal(cube.x.values, 3_926_800 + pixel * (np.arange(size) + 0.5))
    np.testing.assert_array_equal(cube.y.values, 3_115_200 - pixel * (np.arange(size) + 0.5))
    assert cube.NDVI.dims == ("time", "y", "x")
    assert cube.NDVI.shape == (6, size, size)


def test_periods_end_where_the_next_dekad_starts(demo):
    bounds = open_level(demo, 0).time_bnds.values

    np.testing.assert_array_equal(bounds[:, 0], np.array(STARTS, dtype="datetime64[ns]"))
    np.testing.assert_array_equal(bounds[:, 1], np.array([*STARTS[1:], "2020-03-01"], dtype="datetime64[ns]"))


def test_the_whole_demo_has_180_dekads_of_five_years():
    domain = DemoPlan().time_domain

    assert len(domain) == 180
    assert str(domain.starts[-1])[:10] == "2024-12-21"
    assert str(domain.ends[-1])[:10] == "2025-01-01"


@pytest.mark.parametrize(
    ("name", "scale", "offset"), [("NDVI", 0.004, -0.08), ("FAPAR", 0.005, 0), ("FCOVER", 0.005, 0), ("LAI", 0.04, 0)]
)
def test_values_are_numbers_times_scale_plus_offset(demo, numbers, name, scale, offset):
    values = open_level(demo, 0)[name].values

    number = numbers[name]
    np.testing.assert_allclose(values[number != 255], number[number != 255] * scale + offset, rtol=1e-6)
    assert np.isnan(values[number == 255]).all()


@pytest.mark.parametrize("name", VARIABLES)
def test_cf_attributes_describe_the_numbers(demo, name):
    array = zarr.open_group(demo / "biopar.zarr", mode="r")[name]

    assert array.dtype == np.uint8
    assert array.fill_value == array.attrs["_FillValue"] == 255
    assert array.attrs["flag_values"] == [251, 252, 254]
    assert array.attrs["flag_meanings"] == "snow cloud water"
    assert array.attrs["valid_range"] == [0, 250]
    assert array.attrs["units"] == "1"
    assert array.attrs["standard_name"]
    assert array.attrs["long_name"]


def test_cube_is_marked_as_synthetic(demo):
    attributes = open_level(demo, 0).attrs

    assert attributes["title"] == "Synthetic vegetation of central Belgium (demo)"
    assert attributes["attribution"] == "Synthetic data made by chronotile; not observations"
    assert attributes["license"] == "CC0-1.0"
    assert "SYNTHETIC" in attributes["summary"]


def test_the_grid_mapping_places_the_pixels(demo):
    mapping = open_level(demo, 1).NDVI.spatial_ref.attrs

    assert pyproj.CRS.from_wkt(mapping["crs_wkt"]) == pyproj.CRS.from_epsg(3035)
    assert mapping["GeoTransform"] == "3926800 200 0 3115200 0 -200"


def test_multiscales_list_the_levels_with_their_paths(demo):
    attributes = zarr.open_group(demo / "biopar.zarr", mode="r").attrs

    layout = attributes["multiscales"]["layout"]
    assert [level["asset"] for level in layout] == [".", "1", "2"]
    assert layout[2]["derived_from"] == "1"
    assert layout[2]["spatial:transform"] == [400.0, 0.0, 3_926_800.0, 0.0, -400.0, 3_115_200.0]
    assert layout[2]["spatial:shape"] == [16, 16]
    assert {each["name"] for each in attributes["zarr_conventions"]} == {"multiscales", "proj", "spatial"}
    # The spatial convention forbids these with multiscales.
    assert not {"spatial:transform", "spatial:shape"} & set(attributes)


def test_metadata_are_consolidated(demo):
    root = json.loads((demo / "biopar.zarr" / "zarr.json").read_text())

    assert "NDVI" in root["consolidated_metadata"]["metadata"]
    assert open_level(demo, 0, consolidated=True).NDVI.shape == (6, 64, 64)


def test_variable_has_one_file_per_year(demo):
    array = zarr.open_group(demo / "biopar.zarr", mode="r")["NDVI"]

    assert array.chunks == (1, 64, 64)
    assert array.shards == (6, 64, 64)
    assert len(list((demo / "biopar.zarr" / "NDVI").glob("c.*"))) == 1


# Overviews


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("name", VARIABLES)
def test_an_overview_is_the_mean_of_the_valid_cells_below(demo, numbers, name, level):
    overview = zarr.open_array(demo / "biopar.zarr" / str(level) / name, mode="r")[:]

    factor = 2**level
    below = numbers[name].reshape(6, 64 // factor, factor, 64 // factor, factor).swapaxes(2, 3)
    cells = below.reshape(*overview.shape, factor * factor).astype(float)
    valid = cells <= 250
    some = valid.any(axis=-1)
    mean = np.where(valid, cells, 0).sum(axis=-1)[some] / valid.sum(axis=-1)[some]
    np.testing.assert_array_equal(overview[some], np.floor(mean + 0.5))
    assert (overview[~some] > 250).all()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param([[10, 252], [254, 13]], 12, id="half rounds up, flags do not count"),
        pytest.param([[252, 252], [254, 255]], 252, id="most frequent flag"),
        pytest.param([[255, 255], [254, 252]], 255, id="mostly nodata"),
        pytest.param([[255, 254], [255, 254]], 254, id="a flag rather than nodata"),
        pytest.param([[251, 252], [252, 251]], 251, id="snow before cloud"),
        pytest.param([[254], [251]], 251, id="narrow"),
        pytest.param([[7]], 7, id="alone"),
    ],
)
def test_overview_of_a_few_cells(cells, expected):
    (overview,) = overviews_of(np.array(cells, dtype=np.uint8), 1)

    assert overview.tolist() == [[expected]]


def test_overviews_of_odd_sizes_are_rounded_up_and_means_are_not_of_means():
    cells = np.full((5, 3), 100, dtype=np.uint8)
    cells[0:2, 0:2] = [[0, 252], [252, 252]]

    first, second = overviews_of(cells, 2)

    assert first.tolist() == [[0, 100], [100, 100], [100, 100]]
    assert second.tolist() == [[round(8 * 100 / 9)], [100]]


# Visible content.


@pytest.mark.parametrize("name", VARIABLES)
def test_numbers_are_values_flags_or_nodata(numbers, name):
    codes = np.unique(numbers[name][numbers[name] > 250])

    assert set(codes) <= {251, 252, 254, 255}
    assert (numbers[name] <= 250).mean() > 0.5


@pytest.mark.parametrize("name", VARIABLES[1:])
def test_all_variables_are_hidden_by_the_same_sky(numbers, name):
    hidden = numbers["NDVI"] > 250

    np.testing.assert_array_equal(numbers[name][hidden], numbers["NDVI"][hidden])
    assert (numbers[name][~hidden] <= 250).all()


@pytest.mark.parametrize("name", VARIABLES[1:])
def test_variables_rise_with_ndvi_but_are_not_copies(numbers, name):
    valid = numbers["NDVI"] <= 250

    ndvi, other = numbers["NDVI"][valid].astype(float), numbers[name][valid].astype(float)
    assert 0.85 < np.corrcoef(ndvi, other)[0, 1] < 0.999


def test_water_stays_and_clouds_move(numbers):
    water, cloud = numbers["NDVI"] == 254, numbers["NDVI"] == 252
    clear_twice = (numbers["NDVI"][:-1] < 251) & water[1:]

    assert water.any()
    assert cloud.any()
    assert not clear_twice.any()
    assert not np.array_equal(cloud[0], cloud[1])


@pytest.mark.slow
def test_a_small_demo_is_cut_out_of_the_whole():
    small, large = (open_scene(replace(TINY, size_px=size).grid) for size in (32, 64))

    np.testing.assert_array_equal(small.ndvi(100), large.ndvi(100)[16:48, 16:48])
    np.testing.assert_array_equal(small.water, large.water[16:48, 16:48])


def test_missing_landscape_is_reported_with_the_command(tmp_path):
    with pytest.raises(ConfigurationError, match="make demo-data"):
        open_scene(TINY.grid, tmp_path / "landscape.npz.xz")


# The pictures


@pytest.mark.parametrize("band", ["RED", "GREEN", "BLUE"])
def test_pictures_are_tiled_geotiffs_with_overviews(demo, band):
    with rasterio.open(demo / "toc" / f"{band}_20240512.tif") as file:
        assert file.crs.to_epsg() == 3035
        assert tuple(file.bounds) == (3_926_800, 3_108_800, 3_933_200, 3_115_200)
        assert file.dtypes == ("uint16",)
        assert file.nodata == 0
        assert file.overviews(1) == [2, 4]
        assert file.block_shapes == [(512, 512)]
        assert file.profile["compress"] == "deflate"
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert "Synthetic" in file.tags()["TIFFTAG_IMAGEDESCRIPTION"]
        assert 100 < np.median(file.read(1)) < 3000


def test_an_overview_of_a_picture_can_be_read(demo):
    with rasterio.open(demo / "toc" / "RED_20240512.tif", overview_level=1) as file:
        assert file.shape == (16, 16)


# The configuration


def test_the_configuration_and_its_styles_load_without_mistakes(demo):
    path = demo / "demo.yaml"

    configuration = load_configuration(
        path, kinds=kind_options(), environment={}, styles=load_styles(style_folders(path))
    )

    assert set(configuration.collections) == {"biopar", "toc"}
    assert list(configuration.collections["biopar"].variables) == list(VARIABLES)


def test_hrefs_of_the_configuration_stay_in_the_folder(demo):
    text = (demo / "demo.yaml").read_text()

    assert "href: biopar.zarr" in text
    assert 'href: "toc/{variable}_*.tif"' in text
