"""`/coverage` over HTTP: numbers, places and times by the formula of `served`."""

import numpy as np
import pytest
from affine import Affine

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid, Window
from chronotile.pipeline.encoders import scratch_files
from chronotile.protocols.ogcapi.coverages import resolve_query
from tests.protocols import served
from tests.protocols.ogcapi.coverages.reading import READERS, asked_geotiff, expected_window, png_numbers, values_of

NDVI = "/ogcapi/collections/NDVI/coverage"
UTM = served.BELGIUM_31N
WINDOW = Window(20, 25, 10, 20)
"""Window of the box below."""
IN_WINDOW = {"bbox": "601000,5647500,602000,5648000", "bbox-crs": "EPSG:32631"}
WHOLE = Window(0, 300, 0, 400)


def test_request_without_parameters_returns_all_fields_everywhere_at_all_times(tree):
    raster = asked_geotiff(tree, "s2")

    days = ["05-21", "06-01", "06-11", "06-21", "07-01"]
    assert raster.names == tuple(f"{name} 2020-{day}T00:00:00Z" for day in days for name in ("NDVI", "LAI"))
    assert (raster.transform, raster.epsg) == (UTM.transform, 32631)
    np.testing.assert_array_equal(raster.numbers[2], expected_window(UTM, WHOLE, time=1))
    np.testing.assert_array_equal(raster.numbers[3], expected_window(UTM, WHOLE, time=0))


def test_large_coverage_without_times_has_the_newest_and_a_hint_how_to_request_all(tree, monkeypatch):
    monkeypatch.setattr(resolve_query, "DEFAULT_BYTES", 2 * 300 * 400 + 1)

    newest, every = (
        tree.get(NDVI, params={"f": "csv", **IN_WINDOW, **more}) for more in ({}, {"datetime": "2020-05-21/.."})
    )
    whole, all_of_it = tree.get(NDVI), tree.get(NDVI, params={"datetime": "2020-05-21/.."})

    assert (newest.content, newest.headers.get("warning")) == (every.content, None)
    assert whole.headers["warning"] == '299 - "the newest 2 of 4 times; datetime=2020-05-21/.. requests all"'
    assert whole.headers["chronotile-time"] == "2020-06-21T00:00:00Z,2020-06-11T00:00:00Z"
    assert len(all_of_it.headers["chronotile-time"].split(",")) == 4
    assert whole.headers["cache-control"] == all_of_it.headers["cache-control"]


def test_a_field_has_no_values_at_times_of_others(tree):
    raster = asked_geotiff(tree, "s2", datetime="2020-05-21")

    assert (raster.numbers[1] == raster.nodata).all()


@pytest.mark.parametrize("format_name", READERS)
def test_values_are_the_source_s_in_each_format(tree, tmp_path, format_name):
    query = {**IN_WINDOW, "f": format_name, "datetime": "2020-06-01/2020-06-11"}
    answer = tree.get("/ogcapi/collections/s2/coverage", params=query)

    numbers = np.stack([expected_window(UTM, WINDOW, time) for time in (1, 2)])
    found = values_of(format_name, answer.content, "NDVI", folder=tmp_path)
    np.testing.assert_allclose(found, numbers * 0.004 - 0.08, rtol=1e-12)


@pytest.mark.parametrize("collection", ["s2", "kinds", "FAPAR", "CROP", "HEIGHT"])
def test_coveragejson_is_valid(tree, assert_valid, collection):
    answer = tree.get(f"/ogcapi/collections/{collection}/coverage", params={"f": "json", "width": "6", "height": "4"})

    assert_valid(answer.json(), "covjson", "coveragejson")


def test_png_has_the_numbers_of_one_field_at_one_time(tree):
    answer = tree.get(NDVI, params={**IN_WINDOW, "f": "png", "datetime": "2020-06-11"})

    np.testing.assert_array_equal(png_numbers(answer.content), expected_window(UTM, WINDOW, time=2))


@pytest.mark.parametrize(
    "query",
    [
        [("bbox", "601000,5647500,602000,5648000"), ("bbox-crs", "http://www.opengis.net/def/crs/EPSG/0/32631")],
        [("bbox", "601000,5647500,0,602000,5648000,100"), ("bbox-crs", "[EPSG:32631]")],
        [("subset", "x(601000:602000),y(5647500:5648000)")],
        [("subset", "E(601000:602000)"), ("subset", "n(5647500:5648000)")],
        [("subset", "Y(5647500:5648000),X(601000:602000)"), ("subset-crs", "EPSG:32631")],
        [("subset", "x(601000.1:601999.9),y(5647500.1:5647999.9)")],
        [("BBOX", "601000,5647500,602000,5648000"), ("BBOX-CRS", "epsg:32631")],
    ],
)
def test_a_part_in_the_native_crs_is_native_cells(tree, query):
    answer = tree.get(NDVI, params=[*query, ("datetime", "2020-06-01")])

    assert answer.headers["content-bbox"] == "601000,5647500,602000,5648000"
    found = values_of("GTiff", answer.content, "NDVI", folder=None)
    np.testing.assert_allclose(found[0], expected_window(UTM, WINDOW, time=1) * 0.004 - 0.08)


def test_one_axis_alone_leaves_the_other_whole(tree):
    assert asked_geotiff(tree, "NDVI", subset="y(*:5620500)").numbers.shape == (4, 5, 400)


@pytest.mark.parametrize(
    "query",
    [
        {"bbox": "4.5,50.8,4.6,50.9"},
        {"subset": "Lat(50.8:50.9),Lon(4.5:4.6)"},
        {"bbox": "50.8,4.5,50.9,4.6", "bbox-crs": "EPSG:4326"},
        {"subset": "Lat(50.8:50.9),Lon(4.5:4.6)", "subset-crs": "[EPSG:4326]"},
    ],
)
def test_degrees_are_cut_in_their_order(tree, query):
    answer = tree.get("/ogcapi/collections/FAPAR/coverage", params={**query, "datetime": "2020-06-01"})

    found = values_of("GTiff", answer.content, "FAPAR", folder=None)
    expected = expected_window(served.FLANDERS_4326, Window(50, 100, 50, 100), time=1)
    np.testing.assert_array_equal(found[0], np.where(expected == served.NODATA, np.nan, expected))
    assert answer.headers["content-bbox"].startswith("50.8,4.5,50.9,4.6")


def test_a_position_is_one_row_or_column(tree):
    raster = asked_geotiff(tree, "FAPAR", subset="Lat(50.9001),Lon(4.5:4.6)", datetime="2020-06-01")

    np.testing.assert_array_equal(
        raster.numbers[0], expected_window(served.FLANDERS_4326, Window(49, 50, 50, 100), time=1)
    )


def test_sizes_across_the_antimeridian_count_the_requested_part(tree):
    raster = asked_geotiff(tree, "DMP", bbox="170,-10,-170,10", datetime="2020-06-01", width="10", height="4")

    assert raster.numbers.shape == (1, 4, 10)


def test_two_positions_are_one_cell(tree):
    raster = asked_geotiff(tree, "NDVI", subset="x(612345),y(5640099)", datetime="2020-06-21")

    np.testing.assert_array_equal(raster.numbers, [expected_window(UTM, Window(99, 100, 123, 124), time=3)])


def test_longitudes_go_on_across_the_antimeridian(tree):
    answer = tree.get("/ogcapi/collections/DMP/coverage", params={"bbox": "175,-5,-170,5", "datetime": "2020-06-01"})

    found = values_of("GTiff", answer.content, "DMP", folder=None)
    np.testing.assert_array_equal(found[0], expected_window(served.WORLD_4326, Window(85, 95, 355, 370), time=1))
    assert answer.headers["content-bbox"] == "-5,175,5,-170"


@pytest.mark.parametrize(
    ("query", "times"),
    [
        ({"datetime": "2020-06-01"}, [1]),
        ({"datetime": "2020-06-01T00:00:00Z"}, [1]),
        ({"datetime": "2020-06"}, [1, 2, 3]),
        ({"datetime": "2020-06-01/2020-06-11"}, [1, 2]),
        ({"datetime": "../2020-06-05"}, [0, 1]),
        ({"datetime": "2020-06-05/.."}, [2, 3]),
        ({"datetime": "2020-06-05/"}, [2, 3]),
        ({"subset": 'time("2020-06-01")'}, [1]),
        ({"subset": 'time("2020-06-01":"2020-06-11")'}, [1, 2]),
        ({"subset": "time(2020-06-01:2020-06-11)"}, [1, 2]),
        ({"subset": 'time(*:"2020-06-05")'}, [0, 1]),
        ({"subset": 'TIME("2020-05-21","2020-06-11")'}, [0, 2]),
        ({"subset": "time(*)"}, [3]),
        ({"subset": "time(*:*)"}, [0, 1, 2, 3]),
        ({}, [0, 1, 2, 3]),
    ],
)
def test_times_are_the_requested_ones(tree, query, times):
    answer = tree.get(NDVI, params={**IN_WINDOW, **query})

    instants = [f"{day}T00:00:00Z" for day in ("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21")]
    assert answer.headers["chronotile-time"] == ",".join(instants[time] for time in reversed(times))
    found = values_of("GTiff", answer.content, "NDVI", folder=None)
    np.testing.assert_allclose(
        found[:, 0, 0], [expected_window(UTM, WINDOW, time)[0, 0] * 0.004 - 0.08 for time in times]
    )


def test_properties_are_in_the_requested_order(tree):
    raster = asked_geotiff(tree, "s2", properties="LAI,NDVI", datetime="2020-06-01")

    assert [name.split(" ")[0] for name in raster.names] == ["LAI", "NDVI"]


def test_excluded_properties_are_absent(tree):
    raster = asked_geotiff(tree, "s2", exclude_properties="NDVI", datetime="2020-06-01")

    assert [name.split(" ")[0] for name in raster.names] == ["LAI"]


def test_scaled_cells_are_those_under_their_centres(tree):
    raster = asked_geotiff(tree, "NDVI", scale_factor="5", datetime="2020-06-01")

    assert raster.transform == UTM.transform @ Affine.scale(5)
    np.testing.assert_array_equal(raster.numbers[0], expected_window(UTM, WHOLE, time=1)[2::5, 2::5])


@pytest.mark.checklist("coverages", "test the")
@pytest.mark.parametrize(
    ("query", "size"),
    [
        ({"scale-factor": "2"}, (150, 200)),
        ({"scaleFactor": "0.5"}, (600, 800)),
        ({"scale-factor": "1"}, (300, 400)),
        ({"scale-axes": "x(4),y(2)"}, (150, 100)),
        ({"scale-axes": "Lat(10)"}, (30, 400)),
        ({"scale-size": "Lat(100),Lon(200)"}, (100, 200)),
        ({"scaleSize": "x(20),y(10)"}, (10, 20)),
        ({"scale-size": "y(10)"}, (10, 400)),
        ({"width": "40"}, (30, 40)),
        ({"height": "30"}, (30, 40)),
        ({"width": "7", "height": "5"}, (5, 7)),
        ({"resolution": "x(1000),y(500)"}, (60, 40)),
        ({"resolution": "x(1000)"}, (300, 40)),
        ({"resolution": "x(),y(),time()"}, (300, 400)),
        ({**IN_WINDOW, "scale-size": "x(5)"}, (5, 5)),
        ({"subset": "x(580000:620000),y(5640000:5650000)", "scale-size": "x(80),y(10)"}, (10, 40)),
        ({"subset": "x(580000:620000),y(*:5660000)", "scale-size": "x(80)"}, (300, 40)),
        ({"subset": "x(580000:620000)", "width": "80"}, (60, 40)),
        ({"subset": "y(5649000:5690000)", "height": "41"}, (1, 40)),
        ({"subset": "x(639999:800000)", "scale-size": "x(10),y(3)"}, (3, 1)),
    ],
)
def test_scaling_gives_so_many_rows_and_columns(tree, query, size):
    raster = asked_geotiff(tree, "NDVI", datetime="2020-06-01", **query)

    assert raster.numbers.shape[1:] == size


@pytest.mark.parametrize(("name", "number"), [("bilinear", 173.5), ("nearest", 177), ("linear", 173.5)])
def test_interpolation_is_the_requested_one(tree, name, number):
    """Halfway between two cells of a row, whose numbers are 7 apart, nearest gives the eastern one."""
    raster = asked_geotiff(
        tree, "NDVI", subset="x(601000:601200),y(5647950)", scale_axes="x(2)", datetime="2020-06-01", interpolation=name
    )

    assert expected_window(UTM, Window(20, 21, 10, 12), time=1).tolist() == [[170, 177]]
    assert abs(float(raster.numbers[0, 0, 0]) - number) <= 0.5


@pytest.mark.parametrize(
    ("crs", "uri"),
    [
        ("http://www.opengis.net/def/crs/EPSG/0/3035", "http://www.opengis.net/def/crs/EPSG/0/3035"),
        ("[EPSG:3857]", "http://www.opengis.net/def/crs/EPSG/0/3857"),
        ("EPSG:4326", "http://www.opengis.net/def/crs/EPSG/0/4326"),
        ("CRS84", "http://www.opengis.net/def/crs/OGC/1.3/CRS84"),
    ],
)
def test_another_crs_is_reported_and_has_the_same_numbers(tree, crs, uri):
    answer = tree.get(NDVI, params={**IN_WINDOW, "crs": crs, "datetime": "2020-06-01"})
    raster = asked_geotiff(tree, "NDVI", crs=crs, datetime="2020-06-01", **IN_WINDOW)

    height, width = raster.numbers.shape[1:]
    (xmin, ymax), (xmax, ymin) = raster.transform @ (0, 0), raster.transform @ (width, height)
    code = "CRS:84" if "84" in crs else f"EPSG:{raster.epsg}"
    grid = Grid(crs=crs_of(code), bbox=BBox(xmin, ymin, xmax, ymax), width=width, height=height)
    assert answer.headers["content-crs"] == uri
    np.testing.assert_array_equal(raster.numbers[0], served.expected_numbers(UTM, grid, time=1))


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "image/tiff; application=geotiff"),
        ("image/tiff", "image/tiff; application=geotiff"),
        ("image/tiff; application=geotiff", "image/tiff; application=geotiff"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "image/tiff; application=geotiff"),
        ("application/x-netcdf", "application/x-netcdf"),
        ("application/netcdf", "application/x-netcdf"),
        ("application/prs.coverage+json", "application/prs.coverage+json"),
        ("application/vnd.cov+json", "application/prs.coverage+json"),
        ("application/json", "application/prs.coverage+json"),
        ("application/zip", "application/zip"),
        ("application/x-zarr", "application/zip"),
        ("image/png", "image/png"),
        ("image/png;q=0.1, application/json", "application/prs.coverage+json"),
    ],
)
def test_format_is_as_accepted(tree, accept, media_type):
    query = {**IN_WINDOW, "datetime": "2020-06-01"}
    answer = tree.get(NDVI, params=query, headers={"Accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("f", "media_type", "disposition"),
    [
        ("GTiff", "image/tiff; application=geotiff", 'attachment; filename="s2_2020-06-01.tif"'),
        ("geotiff", "image/tiff; application=geotiff", 'attachment; filename="s2_2020-06-01.tif"'),
        ("netcdf", "application/x-netcdf", 'attachment; filename="s2_2020-06-01.nc"'),
        ("ZARR", "application/zip", 'attachment; filename="s2_2020-06-01.zarr.zip"'),
        ("CovJSON", "application/prs.coverage+json", 'inline; filename="s2_2020-06-01.covjson"'),
        ("PNG", "image/png", 'inline; filename="s2_2020-06-01.png"'),
    ],
)
def test_format_is_case_insensitive(tree, f, media_type, disposition):
    answer = tree.get(NDVI, params={**IN_WINDOW, "datetime": "2020-06-01", "f": f}, headers={"Accept": "text/html"})

    assert (answer.headers["content-type"], answer.headers["content-disposition"]) == (media_type, disposition)


def test_html_alone_is_not_acceptable(tree):
    answer = tree.get(NDVI, headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["content-type"]) == (406, "application/problem+json")


def test_matching_etag_is_confirmed(tree):
    first = tree.get(NDVI, params=IN_WINDOW)
    again = tree.get(NDVI, params=IN_WINDOW, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


IDENTITY = {"Accept-Encoding": "identity"}
SIZED = [name for name in (*READERS, "png") if name != "zarr"]
ONE_DAY = {"datetime": "2020-06-01"}


@pytest.mark.parametrize("f", SIZED)
def test_head_has_the_size_of_a_file_and_get_sends_it_without_reading_again(make_client, f):
    services = served.make_services(*served.tree_collections())
    client = make_client(services)
    query = {"f": f, **ONE_DAY}
    told = client.head(NDVI, params=query, headers=IDENTITY)
    read = len(services.readers["s2"].windows_read)
    sent = client.get(NDVI, params=query, headers=IDENTITY)

    assert (told.status_code, told.content, read) == (200, b"", 1)
    assert (told.headers["content-length"], told.headers["accept-ranges"]) == (str(len(sent.content)), "bytes")
    assert told.headers == sent.headers
    assert len(services.readers["s2"].windows_read) == read


def test_head_of_a_compressed_answer_has_no_size(tree):
    query = {"f": "json", **ONE_DAY, **IN_WINDOW}
    told, sent = tree.head(NDVI, params=query), tree.get(NDVI, params=query)

    assert sent.headers["content-encoding"] == "gzip"
    assert "content-length" not in told.headers


def test_head_of_a_streamed_file_makes_nothing(make_client):
    services = served.make_services(*served.tree_collections())
    client = make_client(services)
    told = client.head(NDVI, params={"f": "zarr", **ONE_DAY})

    assert (told.status_code, told.content, services.readers["s2"].windows_read) == (200, b"", [])
    assert told.headers.keys().isdisjoint({"content-length", "accept-ranges"})
    assert client.get(NDVI, params={"f": "zarr", **ONE_DAY}).headers["etag"] == told.headers["etag"]


@pytest.mark.quick_cases("GTiff", "0-0-0-1")
@pytest.mark.parametrize("f", SIZED)
@pytest.mark.parametrize(
    ("asked", "start", "stop"), [("0-0", 0, 1), ("10-99", 10, 100), ("100-", 100, None), ("-7", -7, None)]
)
def test_range_of_a_file_equals_that_of_the_whole(tree, f, asked, start, stop):
    query = {"f": f, **ONE_DAY, **IN_WINDOW}
    whole = tree.get(NDVI, params=query, headers=IDENTITY)
    part = tree.get(NDVI, params=query, headers={"Range": f"bytes={asked}"})

    size = len(whole.content)
    first, last, _step = slice(start, stop).indices(size)
    assert (part.status_code, part.content) == (206, whole.content[start:stop])
    assert part.headers["content-range"] == f"bytes {first}-{last - 1}/{size}"
    assert part.headers["content-length"] == str(last - first)
    assert (part.headers["etag"], part.headers["vary"]) == (whole.headers["etag"], whole.headers["vary"])
    assert "content-encoding" not in part.headers


def test_a_file_is_made_once_for_all_its_parts(make_client):
    services = served.make_services(*served.tree_collections())
    client = make_client(services)
    parts = [
        client.get(NDVI, params=ONE_DAY, headers={"Range": f"bytes={start}-{start + 99}"}).content
        for start in range(0, 1000, 100)
    ]

    assert len(services.readers["s2"].windows_read) == 1
    assert b"".join(parts) == client.get(NDVI, params=ONE_DAY).content[:1000]


def test_large_file_is_cached_on_the_disk_for_ranges(make_client, monkeypatch):
    monkeypatch.setattr(scratch_files, "IN_MEMORY_BYTES", 0)
    services = served.make_services(*served.tree_collections())
    client = make_client(services)
    told = client.head(NDVI)
    size = int(told.headers["content-length"])
    parts = [client.get(NDVI, headers={"Range": f"bytes={start}-{start + 9999}"}) for start in range(0, size, 10_000)]

    assert services.caches.files.total_bytes == size
    assert b"".join(part.content for part in parts) == client.get(NDVI).content
    assert len(services.readers["s2"].windows_read) == len(served.DEKADS)


def test_client_that_accepts_gzip_gets_uncompressed_ranges(tree):
    query = {"f": "json", **ONE_DAY, **IN_WINDOW}
    whole = tree.get(NDVI, params=query, headers=IDENTITY).content
    part = tree.get(NDVI, params=query, headers={"Range": "bytes=5-24", "Accept-Encoding": "gzip"})

    assert (part.status_code, part.content) == (206, whole[5:25])


def test_a_part_of_another_state_of_the_file_is_not_sent(tree):
    whole = tree.get(NDVI, params=ONE_DAY)
    same, other, by_date = (
        tree.get(NDVI, params=ONE_DAY, headers={"Range": "bytes=0-9", "If-Range": state})
        for state in (whole.headers["etag"], '"another"', "Sun, 22 Nov 2026 10:00:00 GMT")
    )

    assert (same.status_code, same.content) == (206, whole.content[:10])
    assert [(each.status_code, each.content) for each in (other, by_date)] == [(200, whole.content)] * 2


def test_range_beyond_the_file_is_refused_with_its_size(tree):
    size = len(tree.get(NDVI, params=ONE_DAY).content)
    refused = tree.get(NDVI, params=ONE_DAY, headers={"Range": f"bytes={size}-"})

    assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{size}")
    assert (refused.headers["content-type"], refused.json()["status"]) == ("application/problem+json", 416)
    assert refused.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("asked", ["bytes=9-2", "bytes=-", "bytes=0-1,5-6", "cells=0-9", "bytes=a-b", "bytes"])
def test_invalid_range_returns_the_whole(tree, asked):
    whole = tree.get(NDVI, params=ONE_DAY)
    answer = tree.get(NDVI, params=ONE_DAY, headers={"Range": asked})

    assert (answer.status_code, answer.content) == (200, whole.content)


def test_matching_etag_is_confirmed_for_a_range_too(tree):
    etag = tree.get(NDVI, params=ONE_DAY).headers["etag"]
    answer = tree.get(NDVI, params=ONE_DAY, headers={"Range": "bytes=0-9", "If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_errors_are_reported_for_any_range(tree):
    answer = tree.get(NDVI, params={"datetime": "1999"}, headers={"Range": "bytes=0-9"})

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_attribution_and_licence_are_inside(tree):
    tags = asked_geotiff(tree, "NDVI", **IN_WINDOW).tags

    assert (tags["ATTRIBUTION"], tags["LICENSE"]) == ("Copernicus & co", "CC-BY-4.0")


def test_an_alias_is_a_collection_too(tree):
    answer = tree.get("/ogcapi/collections/S2_NDVI/coverage", params=IN_WINDOW)

    assert answer.content == tree.get(NDVI, params=IN_WINDOW).content


def test_coverage_without_time_states_none(tree):
    answer = tree.get("/ogcapi/collections/HEIGHT/coverage")

    assert "chronotile-time" not in answer.headers
    assert values_of("GTiff", answer.content, "HEIGHT", folder=None).shape == (1, 300, 400)
