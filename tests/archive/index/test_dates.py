"""Dates of folders, cubes and NetCDF as items of the index."""

import json
import os
import shutil
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform_bounds

from chronotile.archive.dated_collections import DatedCollections, dated_collections
from chronotile.archive.index.background import reason_to_fill
from chronotile.archive.index.dates import DATED, date_id, list_dates, media_type, reason_to_list
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.fill import IndexStore, Interrupted, fill
from chronotile.archive.index.sources import SourceAccess, indexed_collection, source_of, specs_of_items
from chronotile.archive.live_archive import LiveArchive
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.model.items import IndexSettings, ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import DAY, ONE_NS, TimeSpan
from chronotile.core.web.places import AllowedPlaces
from tests.catalog.items.conftest import make_item
from tests.rasters import write_raster
from tests.scenes import Scene, make_dataset, save_netcdf, write_cogs, write_netcdf, write_tif, write_zarr

DAYS = ("2020-01-01", "2020-01-11", "2020-01-21")
COGS = 'collections: {made: {source: {kind: cog, href: "NDVI_*.tif"}, variables: {NDVI: {title: NDVI}}}}'
ACCESS = SourceAccess(prefixes=AllowedPlaces(), documents=DocumentReader(wait=lambda _s: None))


@pytest.fixture
def open_store(tmp_path, closed_at_end):
    """Return `open_store()`, which opens the index on disk, like another process; closed at the end."""
    folder = tmp_path / "index"
    return lambda: closed_at_end(IndexStore(items=open_items(None, folder), passes=open_passes(None, folder)))


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def live_at(tmp_path, at_end):
    """Return `live_at(configuration)`: the archive of a configuration in the folder of data; closed at the end."""

    def open_one(configuration):
        file = tmp_path / "data" / "chronotile.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(configuration)
        live = LiveArchive.open(file)
        at_end.callback(lambda: live.archive.close())  # noqa: PLW0108 - a refresh gives it another archive
        return live

    return open_one


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def list_all(live, store):
    """List the dates of all collections; return the reports."""
    return [list_dates(each, store) for each in dated_collections(live.archive)]


def found(store, **search):
    """Return the documents of the index by id, oldest first."""
    search = ItemSearch(limit=10_000, sort=(("datetime", False),), **search)
    pages = [store.items.search(search)]
    while pages[-1].next is not None:
        pages.append(store.items.search(replace(search, cursor=pages[-1].next)))
    return {each.ref.id: json.loads(each.document) for page in pages for each in page.items}


def counts(summary):
    return summary.put.added, summary.put.replaced, summary.put.unchanged, summary.removed


def test_a_folder_of_files_has_an_item_a_date_with_its_file(data, live_at, store):
    write_cogs(data, Scene(days=DAYS))
    os.utime(data / "NDVI_20200111.tif", (1_600_000_000, 1_600_000_000))

    list_all(live_at(COGS), store)

    items = found(store)
    assert list(items) == list(DAYS)
    item, path = items["2020-01-11"], data / "NDVI_20200111.tif"
    assert (
        item["properties"].items()
        >= {
            "datetime": "2020-01-11T00:00:00Z",
            "start_datetime": "2020-01-11T00:00:00Z",
            "end_datetime": "2020-01-11T23:59:59Z",
            "updated": "2020-09-13T12:26:40Z",
        }.items()
    )
    assert item["assets"] == {
        "NDVI": {
            "href": str(path),
            "title": "NDVI",
            "type": "image/tiff; application=geotiff",
            "roles": ["data"],
            "file:size": path.stat().st_size,
            "bands": [
                {"name": "NDVI", "data_type": "uint8", "raster:scale": 0.004, "raster:offset": -0.08, "nodata": 255}
            ],
        }
    }


def test_bands_are_those_of_each_file_unless_configured(data, live_at, store):
    write_cogs(data, Scene(days=DAYS[:2]))
    with rasterio.open(data / "NDVI_20200101.tif", "r+") as file:
        file.scales, file.nodata = (0.005,), 254
    configured = COGS.replace("variables: {NDVI: {", "variables: {NDVI: {offset: 1, ")

    bands = {}
    for name, text in (("stated", COGS), ("configured", configured)):
        list_all(live_at(text), store)
        bands[name] = [each["assets"]["NDVI"]["bands"] for each in found(store).values()]

    first = {"name": "NDVI", "data_type": "uint8", "raster:scale": 0.005, "raster:offset": -0.08, "nodata": 254}
    second = {"name": "NDVI", "data_type": "uint8", "raster:scale": 0.004, "raster:offset": -0.08, "nodata": 255}
    assert bands["stated"] == [[first], [second]]
    assert bands["configured"] == [[first | {"raster:offset": 1}], [second | {"raster:offset": 1}]]


def test_files_without_a_crs_have_bands_if_one_is_configured(data, live_at, store):
    for day in ("20200101", "20200111"):
        write_raster(data / f"NDVI_{day}.tif", np.ones((8, 8), dtype="int16"), nodata=-1, crs=None)
    list_all(live_at(COGS.replace("{kind: cog,", "{kind: cog, crs: EPSG:32631,")), store)

    item = found(store)["2020-01-01"]

    assert item["properties"]["proj:code"] == "EPSG:32631"
    assert item["assets"]["NDVI"]["bands"] == [
        {"name": "NDVI", "data_type": "int16", "raster:scale": 1.0, "raster:offset": 0.0, "nodata": -1}
    ]


def test_footprint_of_an_item_is_that_of_its_file(data, live_at, store):
    write_cogs(data, Scene(days=DAYS, width=4000, height=3000))
    list_all(live_at(COGS), store)

    item = found(store)["2020-01-01"]

    with rasterio.open(data / "NDVI_20200101.tif") as file:
        expected = transform_bounds(file.crs, "OGC:CRS84", *file.bounds, densify_pts=101)
        assert item["properties"]["proj:code"] == "EPSG:32631"
        assert item["properties"]["proj:shape"] == [file.height, file.width]
        assert item["properties"]["proj:transform"] == list(file.transform[:6])
        assert item["properties"]["cube:dimensions"]["x"]["extent"] == [file.bounds.left, file.bounds.right]
    assert item["bbox"] == pytest.approx(expected, abs=1e-4)
    polygon = shapely.geometry.shape(item["geometry"])
    assert polygon.exterior.is_ccw
    assert polygon.bounds == pytest.approx(expected, abs=1e-4)


def test_only_dates_of_the_place_and_time_are_found(data, live_at, store):
    write_cogs(data, Scene(days=DAYS))
    list_all(live_at(COGS), store)
    span = TimeSpan(np.datetime64("2020-01-05", "ns"), np.datetime64("2020-01-15", "ns"))

    assert list(found(store, span=span, bbox=BBox(3.0, 50.0, 4.0, 52.0))) == ["2020-01-11"]
    assert not found(store, bbox=BBox(10, 50, 11, 51))


@pytest.mark.parametrize(
    ("write", "kind", "href"),
    [
        pytest.param(write_zarr, "zarr", "made.zarr", id="zarr"),
        pytest.param(write_netcdf, "netcdf", "made.nc", id="netcdf"),
    ],
)
def test_the_dates_of_a_cube_have_no_files(data, live_at, store, write, kind, href):
    write(data, Scene(days=DAYS))

    list_all(live_at(f"collections: {{made: {{source: {{kind: {kind}, href: {href}}}}}}}"), store)

    items = found(store)
    assert list(items) == list(DAYS)
    assert {len(each["assets"]) for each in items.values()} == {0}
    assert {tuple(each["properties"]["cube:variables"]) for each in items.values()} == {("NDVI",)}


def test_a_netcdf_file_of_one_date_belongs_to_it(data, live_at, store):
    for day in DAYS:
        save_netcdf(make_dataset(Scene(days=(day,))), data / f"made_{day}.nc")

    list_all(live_at('collections: {made: {source: {kind: netcdf, href: "made_*.nc"}}}'), store)

    assets = [each["assets"]["NDVI"] for each in found(store).values()]
    assert [(each["href"], each["type"]) for each in assets] == [
        (str(data / f"made_{day}.nc"), "application/netcdf") for day in DAYS
    ]


def test_variables_have_the_dates_of_any_and_each_its_file(data, live_at, store):
    scene = Scene(days=DAYS)
    for name, day in [("A", DAYS[0]), ("A", DAYS[1]), ("B", DAYS[1]), ("B", DAYS[2])]:
        write_tif(data / f"{name}_{day}.tif", scene.numbers(0), scene)
    variables = (
        'variables: {A: {}, B: {}, SUM: {formula: "A + B"}}, composites: {RGB: {variables: [A, B, A], range: [0, 1]}}'
    )

    list_all(
        live_at(f'collections: {{made: {{source: {{kind: cog, href: "{{variable}}_*.tif"}}, {variables}}}}}'), store
    )

    items = found(store)
    assert {id_: sorted(each["assets"]) for id_, each in items.items()} == {
        DAYS[0]: ["A"],
        DAYS[1]: ["A", "B"],
        DAYS[2]: ["B"],
    }
    assert sorted(items[DAYS[1]]["properties"]["cube:variables"]) == ["A", "B", "SUM"]
    assert sorted(items[DAYS[0]]["properties"]["cube:variables"]) == ["A"]


def test_the_file_of_a_masked_variable_is_its_own(data, live_at, store):
    scene = Scene(days=DAYS)
    for name, day in [("A", DAYS[0]), ("A", DAYS[1]), ("A", DAYS[2]), ("SCL", DAYS[1]), ("SCL", DAYS[2])]:
        write_tif(data / f"{name}_{day}.tif", scene.numbers(0), scene)
    source = 'source: {kind: cog, href: "{variable}_*.tif"}'
    masked = "A: {mask: {variable: SCL, keep: [4]}}, SCL: {}"

    list_all(live_at(f"collections: {{made: {{{source}, variables: {{{masked}}}}}}}"), store)

    hrefs = {id_: each["assets"]["A"]["href"] for id_, each in found(store).items()}
    assert hrefs == {day: str(data / f"A_{day}.tif") for day in DAYS[1:]}


def test_bands_of_one_file_are_one_asset(data, live_at, store):
    scene = Scene(days=DAYS)
    for t, day in enumerate(DAYS):
        write_tif(data / f"both_{day}.tif", np.stack([scene.numbers(t)] * 2), scene)

    list_all(
        live_at(
            'collections: {made: {source: {kind: cog, href: "both_*.tif"}, variables: {A: {band: 1}, B: {band: 2}}}}'
        ),
        store,
    )

    assert [sorted(each["assets"]) for each in found(store).values()] == [["data"]] * 3


def test_a_file_of_several_dates_is_no_asset_of_any(data, live_at, store):
    write_tif(data / "all.tif", Scene(days=DAYS).cube(), Scene())
    times = "times: {start: 2001-01-01, step: dekad, count: 3}"

    list_all(
        live_at(f"collections: {{made: {{source: {{kind: cog, href: all.tif, {times}}}, variables: {{NDVI: {{}}}}}}}}"),
        store,
    )

    items = found(store)
    assert list(items) == ["2001-01-01", "2001-01-11", "2001-01-21"]
    assert not any(each["assets"] for each in items.values())
    assert items["2001-01-21"]["properties"]["end_datetime"] == "2001-01-31T23:59:59Z"


def test_files_of_equal_times_and_gaps_and_far_away_times(data, live_at, store):
    scene = Scene(days=DAYS)
    names = ("20200101", "20200101_again", "20200102T105000", "20200102T105001", "20991231", "18500101")
    for name in names:
        write_tif(data / f"NDVI_{name}.tif", scene.numbers(0), scene)

    list_all(live_at(COGS), store)

    items = found(store)
    assert list(items) == ["1850-01-01", "2020-01-01", "20200102T105000Z", "20200102T105001Z", "2099-12-31"]
    assert items["2020-01-01"]["assets"]["NDVI"]["href"].endswith("NDVI_20200101.tif")
    assert "end_datetime" not in items["20200102T105000Z"]["properties"]


def test_a_collection_without_times_has_no_items(data, live_at, store):
    write_tif(data / "height.tif", Scene().numbers(0), Scene())
    live = live_at("collections: {made: {source: {kind: cog, href: height.tif}, variables: {HEIGHT: {}}}}")

    (summary,) = list_all(live, store)

    assert counts(summary) == (0, 0, 0, 0)
    (dated,) = dated_collections(live.archive)
    assert reason_to_list(dated, store) is None


def test_a_folder_without_a_configuration_is_listed(data, store):
    write_cogs(data, Scene(days=DAYS))
    live = LiveArchive.open(data)
    try:
        list_all(live, store)
        assert list(found(store)) == list(DAYS)
    finally:
        live.archive.close()


@pytest.mark.parametrize(
    ("transform", "width", "bbox"),
    [
        pytest.param(Affine(1, 0, 170, 0, -1, 10), 20, [170, -10, -170, 10], id="across the antimeridian"),
        pytest.param(Affine(1, 0, 0, 0, -1, 10), 360, [-180, -10, 180, 10], id="from 0 to 360"),
        pytest.param(Affine(1, 0, -180, 0, -1, 10), 360, [-180, -10, 180, 10], id="all round"),
    ],
)
def test_longitudes_are_those_of_geojson(data, live_at, store, transform, width, bbox):
    write_cogs(data, Scene(days=DAYS[:2], crs="EPSG:4326", transform=transform, width=width, height=20), overviews=())

    list_all(live_at(COGS), store)

    item = found(store, bbox=BBox(179, 0, 179.5, 1))["2020-01-01"]
    assert item["bbox"] == pytest.approx(bbox, abs=1e-3)
    west, _, east, _ = shapely.geometry.shape(item["geometry"]).bounds
    assert -180 <= west <= east <= 180


def test_nothing_is_done_while_nothing_changes(data, live_at, store):
    write_cogs(data, Scene(days=DAYS))
    live = live_at(COGS)
    dated = DatedCollections(lambda: live.archive)
    list_dates(dated()[0], store)
    live.refresh()

    assert dated() is dated()
    assert reason_to_list(dated()[0], store) is None
    assert counts(list_all(live, store)[0]) == (0, 0, 3, 0)


def test_dates_appear_vanish_and_are_replaced(data, live_at, store):
    scene = Scene(days=DAYS)
    write_cogs(data, scene)
    live = live_at(COGS)
    list_all(live, store)
    (data / "NDVI_20200101.tif").unlink()
    write_tif(data / "NDVI_20200201.tif", scene.numbers(1), scene)
    write_tif(data / "new.tif", Scene(shift=9).numbers(1), scene).replace(data / "NDVI_20200111.tif")
    os.utime(data / "NDVI_20200111.tif", (1_900_000_000, 1_900_000_000))
    live.refresh()

    (dated,) = dated_collections(live.archive)
    assert reason_to_list(dated, store) == "its dates or files have changed"
    assert counts(list_dates(dated, store)) == (1, 1, 1, 1)
    items = found(store)
    assert list(items) == ["2020-01-11", "2020-01-21", "2020-02-01"]
    assert items["2020-01-11"]["properties"]["updated"] == "2030-03-17T17:46:40Z"


def test_a_store_that_grows_has_its_new_dates(data, live_at, store):
    write_zarr(data, Scene(days=DAYS[:2]))
    live = live_at("collections: {made: {source: {kind: zarr, href: made.zarr}}}")
    list_all(live, store)
    shutil.rmtree(data / "made.zarr")
    write_zarr(data, Scene(days=DAYS))
    live.refresh()

    assert counts(list_all(live, store)[0]) == (1, 0, 2, 0)


@pytest.mark.parametrize("lon", [-175, 4, 175])
def test_an_item_has_the_instant_of_its_date_wherever_it_lies(data, live_at, store, lon):
    scene = Scene(crs="EPSG:4326", transform=Affine(0.01, 0, lon, 0, -0.01, 10), days=(*DAYS, "2020-02-01T23:00:00"))
    write_netcdf(data, scene)
    live = live_at("collections: {made: {source: {kind: netcdf, href: made.nc}}}")

    list_all(live, store)

    instants = [each.ref.instant for each in store.items.search(ItemSearch(limit=9)).items]
    assert sorted(instants) == [np.datetime64(each, "ns") for each in scene.days]


def test_dates_that_were_listed_by_the_day_of_the_sun_are_listed_again(data, live_at, store):
    write_cogs(data, Scene(days=DAYS))
    live = live_at(COGS)
    list_all(live, store)
    store.items.configure("made", IndexSettings(group="date"))
    store.passes.finish(store.passes.begin("made", source="dates", holder="of an older version"))

    (dated,) = dated_collections(live.archive)
    assert reason_to_list(dated, store) == "its items are those of another source"
    list_dates(dated, store)

    assert store.items.settings("made") == DATED
    assert list(found(store)) == list(DAYS)


def test_nothing_is_removed_if_the_source_is_unavailable(data, live_at, store):
    write_cogs(data, Scene(days=DAYS))
    write_cogs(other := data / "other", Scene(days=DAYS))
    both = 'a: {source: {kind: cog, href: "NDVI_*.tif"}}, b: {source: {kind: cog, href: "other/NDVI_*.tif"}}'
    live = live_at(f"collections: {{{both}}}")
    list_all(live, store)
    other.rename(data / "unmounted")
    live.refresh()

    list_all(live, store)

    assert [each.id for each in dated_collections(live.archive)] == ["a"]
    assert list(found(store, collections=("b",))) == list(DAYS)


def test_nothing_is_removed_while_a_file_of_a_served_date_is_missing(data, live_at, store):
    write_cogs(data, Scene(days=DAYS))
    live = live_at(COGS)
    list_all(live, store)
    (dated,) = dated_collections(live.archive)
    (data / "NDVI_20200101.tif").unlink()

    summary = list_dates(dated, store)

    assert not summary.is_complete
    assert list(found(store)) == list(DAYS)
    assert reason_to_list(dated, store) == "its dates or files have changed"


def test_interrupted_pass_continues(data, live_at, open_store):
    days = np.datetime64("2000-01-01") + np.arange(600)
    write_netcdf(data, Scene(days=tuple(map(str, days)), width=2, height=2))
    live = live_at("collections: {made: {source: {kind: netcdf, href: made.nc}}}")
    (dated,) = dated_collections(live.archive)
    first = open_store()
    with pytest.raises(Interrupted):
        list_dates(dated, first, is_stopped=lambda: len(found(first)) > 0)
    before = len(found(first))

    summary = list_dates(dated, open_store())

    assert 0 < before < len(days)
    assert summary.put.added == len(days) - before
    assert list(found(first)) == list(map(str, days))


def test_scenes_become_dates_and_dates_scenes(data, live_at, store):
    write_cogs(data, Scene(days=DAYS))
    tiles = COGS.replace('"NDVI_*.tif"', '"NDVI_*.tif", tiles: true')
    live = live_at(COGS)
    list_all(live, store)
    (data / "chronotile.yaml").write_text(tiles)
    (spec,) = specs_of_items(data / "chronotile.yaml", environment={})
    assert reason_to_fill(spec, ACCESS, store) is not None
    fill(indexed_collection(spec), source_of(spec, ACCESS), store)
    assert sorted(found(store)) == ["NDVI_20200101", "NDVI_20200111", "NDVI_20200121"]
    store.items.put("made", [make_item("added by a client")])
    (dated,) = dated_collections(live.archive)

    assert reason_to_list(dated, store) == "its items are those of another source"
    with pytest.raises(Interrupted):
        list_dates(dated, store, is_stopped=lambda: True)
    assert reason_to_list(dated, store) is not None
    list_dates(dated, store)

    assert list(found(store)) == list(DAYS)
    assert reason_to_list(dated, store) is None


def test_another_index_is_filled_again(data, live_at, open_store, tmp_path):
    write_cogs(data, Scene(days=DAYS))
    live = live_at(COGS)
    (dated,) = dated_collections(live.archive)
    first = open_store()
    list_dates(dated, first)
    first.close()
    (tmp_path / "index" / "index.sqlite").unlink()

    again = open_store()

    assert reason_to_list(dated, again) == "its dates are not listed yet, as /stac needs them"
    list_dates(dated, again)
    assert list(found(again)) == list(DAYS)


def test_other_titles_are_another_state(data, live_at):
    write_cogs(data, Scene(days=DAYS))
    (dated,) = dated_collections(live_at(COGS).archive)
    (renamed,) = dated_collections(live_at(COGS.replace("title: NDVI", "title: Greenness")).archive)

    assert dated != renamed
    assert dated == replace(renamed, digest=dated.digest)


INSTANTS = st.datetimes(min_value=datetime(1678, 1, 1), max_value=datetime(2261, 12, 31))
LENGTHS = st.sampled_from([ONE_NS, np.timedelta64(3, "h"), DAY, 10 * DAY])


@given(st.tuples(INSTANTS, LENGTHS), st.tuples(INSTANTS, LENGTHS))
def test_ids_of_other_starts_differ_and_are_safe_in_addresses_and_names(first, second):
    spans = [TimeSpan(start := np.datetime64(when, "ns"), start + length) for when, length in (first, second)]
    ids = [date_id(span) for span in spans]

    assert (ids[0] != ids[1]) or spans[0].start == spans[1].start
    assert all(set(each) <= set("0123456789-TZ.") and ".." not in each for each in ids)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (("2020-06-01", "2020-06-02"), "2020-06-01"),
        (("2020-06-01", "2020-07-01"), "2020-06-01"),
        (("2020-06-01T00:00:00", "2020-06-01T00:00:00.000000001"), "20200601T000000Z"),
        (("2020-06-01T10:50:00", "2020-06-01T10:50:00.000000001"), "20200601T105000Z"),
        (("2020-06-01T10:50:00.25", "2020-06-02T10:50:00"), "20200601T105000.25Z"),
    ],
)
def test_ids(span, expected):
    assert date_id(TimeSpan(*(np.datetime64(each, "ns") for each in span))) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b.TIFF", "image/tiff; application=geotiff"),
        ("https://a.test/b.nc?version=2", "application/netcdf"),
        ("/a/b", "application/octet-stream"),
    ],
)
def test_media_types(path, expected):
    assert media_type(path) == expected


@pytest.mark.slow
def test_twenty_years_of_days_are_listed_whole(data, live_at, store):
    days = np.datetime64("2001-01-01") + np.arange(7_000)
    save_netcdf(make_dataset(Scene(days=tuple(map(str, days)), width=2, height=2)), data / "made.nc")
    live = live_at("collections: {made: {source: {kind: netcdf, href: made.nc}}}")

    list_all(live, store)

    assert list(found(store)) == list(map(str, days))
    assert len(store.items.times("made")) == len(days)
