"""The made archive itself: its files agree with the formula, with each other, and with the uncut raster."""

import numpy as np
import pyproj
import pystac
import pytest
import rasterio
import shapely

from tests.scenes_archive import documents
from tests.scenes_archive.files import archive, path_of
from tests.scenes_archive.plan import BANDS, FULL, SMALL, STEP_OF

EACH_ASSET = tuple(STEP_OF)


def values_of(path, x, y):
    """Values that rasterio reads at places of the file's CRS; NaN for nodata and outside."""
    with rasterio.open(path) as file:
        column, row = ~file.transform @ (np.asarray(x), np.asarray(y))
        row, column = np.floor(row).astype(int), np.floor(column).astype(int)
        is_inside = (row >= 0) & (row < file.height) & (column >= 0) & (column < file.width)
        numbers = file.read(1)[np.where(is_inside, row, 0), np.where(is_inside, column, 0)]
        return np.where(is_inside & (numbers != 0), numbers * file.scales[0] + file.offsets[0], np.nan)


def random_places(frame, count=2_000, seed=7):
    """Return x and y of points inside a frame, away from edges of cells."""
    generator = np.random.default_rng(seed)
    columns, rows = generator.integers(0, frame.width, count), generator.integers(0, frame.height, count)
    within = generator.uniform(0.05, 0.95, (2, count))
    return frame.x + (columns + within[0]) * 10, frame.y - (rows + within[1]) * 10


def same(ours, theirs):
    return np.isclose(ours, theirs, rtol=0, atol=1e-9, equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("asset", EACH_ASSET)
@pytest.mark.parametrize("zone", [31, 32])
def test_uncut_raster_is_the_truth(zone, asset):
    folder = archive(SMALL, uncut=(31, 32))
    x, y = random_places(SMALL.uncut(zone))

    read = [values_of(folder / path_of(SMALL.uncut_scene(zone, date), asset), x, y) for date in range(6)]

    crs = SMALL.uncut(zone).crs
    assert all(same(values, SMALL.truth(asset, x, y, date=date, crs=crs)).all() for date, values in enumerate(read))
    assert all(np.isfinite(values).mean() > 0.2 for values in read)


@pytest.mark.slow
@pytest.mark.parametrize("asset", EACH_ASSET)
def test_tiles_are_cuts_of_the_uncut_raster_of_their_zone(asset):
    folder = archive(SMALL, uncut=(31, 32))

    differing = []
    for scene in SMALL.all_scenes():
        x, y = random_places(scene.frame, 300)
        tile = values_of(folder / path_of(scene, asset), x, y)
        uncut = values_of(folder / path_of(SMALL.uncut_scene(scene.frame.zone, scene.date), asset), x, y)
        differing.append(~same(tile, uncut) & np.isfinite(tile))

    assert not np.concatenate(differing).any()


@pytest.mark.slow
def test_tiles_together_leave_no_place_of_the_uncut_raster_out():
    folder = archive(SMALL, uncut=(31, 32))
    x, y = random_places(SMALL.tiles()[0])

    for date in range(6):
        uncut = values_of(folder / path_of(SMALL.uncut_scene(31, date), "CELL"), x, y)
        mosaic = SMALL.mosaic("CELL", x, y, date=date, crs="EPSG:32631").values

        assert np.isfinite(mosaic[np.isfinite(uncut)]).all()


@pytest.mark.slow
def test_expected_mosaic_equals_that_of_rasterio_from_the_files():
    folder = archive(SMALL)
    longitude, latitude = np.random.default_rng(3).uniform((5.97, 50.47), (6.03, 50.53), (1_000, 2)).T

    for date in range(6):
        found = np.full(len(longitude), np.nan)
        for scene in SMALL.scenes(date):
            to_zone = pyproj.Transformer.from_crs("OGC:CRS84", scene.frame.crs, always_xy=True)
            values = values_of(folder / path_of(scene, "CELL"), *to_zone.transform(longitude, latitude))
            found = np.where(np.isnan(found), values, found)

        assert same(found, SMALL.mosaic("CELL", longitude, latitude, date=date).values).all()


def test_zones_agree_in_all_but_two_thousandths_of_the_places():
    x, y = random_places(FULL.uncut(31), 20_000)
    to_other = pyproj.Transformer.from_crs("EPSG:32631", "EPSG:32632", always_xy=True)

    ours = FULL.truth("B08", x, y, date=2, crs="EPSG:32631")
    theirs = FULL.truth("B08", *to_other.transform(x, y), date=2, crs="EPSG:32632")

    are_both = np.isfinite(ours) & np.isfinite(theirs)  # the corners of one box lie outside of the other
    assert are_both.mean() > 0.9
    assert 0.998 < same(ours, theirs)[are_both].mean() < 1  # a mosaic takes about half of its pixels from each


def test_values_are_continuous_where_the_baseline_changes():
    before, after = SMALL.uncut_scene(31, SMALL.baseline - 1), SMALL.uncut_scene(31, SMALL.baseline)

    numbers = [scene.numbers("B04") for scene in (before, after)]
    encodings = [scene.encoding("B04") for scene in (before, after)]

    assert encodings == [(0.0001, 0.0), (0.0001, -0.1)]
    assert numbers[0][numbers[0] > 0].min() < 1_000 < numbers[1][numbers[1] > 0].min()


def test_the_full_plan_is_thirty_tiles_on_24_dates():
    assert len(FULL.tiles()) == 30
    assert len(FULL.days) == 24
    assert FULL.days[FULL.baseline] == "2022-01-26"  # the day after Sentinel-2's
    assert sum(1 for _ in FULL.all_scenes()) > 600


@pytest.mark.slow
def test_files_are_cogs_with_blocks_overviews_and_predictor():
    folder = archive(SMALL)
    scenes = SMALL.scenes(0)

    with (
        rasterio.open(folder / path_of(scenes[0], "B04")) as first,
        rasterio.open(folder / path_of(scenes[-1], "B04")) as last,
    ):
        assert (first.block_shapes, last.block_shapes) == ([(128, 128)], [(256, 256)])
        assert first.overviews(1) == [2, 4]
        assert first.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert first.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "2"
        assert (first.crs.to_epsg(), last.crs.to_epsg()) == (32631, 32632)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_pystac_reads_the_catalogue(tmp_path, version):
    made = documents.write_catalogue(tmp_path, SMALL, str, version=version)

    items = list(pystac.Catalog.from_file(str(made)).get_items(recursive=True))

    assert sorted(item.id for item in items) == sorted(scene.id for scene in SMALL.all_scenes())
    first = min(items, key=lambda item: item.id)
    assert first.ext.proj.code == "EPSG:32631"
    assert first.assets["B04"].ext.proj.transform == [*SMALL.tiles()[0].transform("B04")[:6]]
    assert first.assets["B04"].ext.raster.bands[0].scale == 0.0001 if version == "1.0" else True
    assert "ndvi" in items[0].get_collection().extra_fields["renders"]


def test_footprints_cover_all_observations():
    for scene in SMALL.all_scenes():
        x, y = scene.frame.centres("B04")
        x, y = x[::7, ::7], y[::7, ::7]
        seen = scene.numbers_at("B04", x, y) > 0
        to_degrees = pyproj.Transformer.from_crs(scene.frame.crs, "OGC:CRS84", always_xy=True)

        is_inside = shapely.contains_xy(documents.footprint(scene), *to_degrees.transform(x, y))

        assert np.array_equal(is_inside, seen), scene.id


def test_assets_of_the_bands_state_scale_and_offset_in_both_versions():
    scene = SMALL.scenes(SMALL.baseline)[0]

    old, new = (documents.item(scene, str, version=version)["assets"]["B04"] for version in ("1.0", "1.1"))

    assert (old["raster:bands"][0]["scale"], old["raster:bands"][0]["offset"]) == (0.0001, -0.1)
    assert (new["raster:scale"], new["raster:offset"]) == (0.0001, -0.1)
    assert set(BANDS) <= set(EACH_ASSET)


@pytest.mark.slow
def test_pyarrow_reads_the_geoparquet(tmp_path):
    import pyarrow.parquet

    listed = [documents.item(scene, str) for scene in SMALL.all_scenes()]

    table = pyarrow.parquet.read_table(documents.write_geoparquet(tmp_path / "items.parquet", listed))

    assert table.column("id").to_pylist() == [each["id"] for each in listed]
    assert shapely.from_wkb(table.column("geometry")[0].as_py()).is_valid
    assert {"datetime", "eo:cloud_cover", "proj:code", "assets"} <= set(table.column_names)
