"""`/position`: the series of native cells, by the formula."""

import csv
import io

import numpy as np
import pytest
import xarray as xr

from tests.decimals import cell_value
from tests.protocols import served
from tests.protocols.ogcapi.edr.conftest import point

checklist = pytest.mark.checklist
DEKADS = ["2020-05-21T00:00:00Z", "2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]
LAI_TIMES = ["2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-07-01T00:00:00Z"]


def numbers(row: int, column: int, times: int = 4) -> list[int]:
    return [int(served.number_at(np.array(row), np.array(column), time)) for time in range(times)]


def ndvi(row: int, column: int) -> list[float]:
    return [cell_value(int(number), 0.004, -0.08) for number in numbers(row, column)]


def lai(row: int, column: int) -> list[float]:
    return [cell_value(int(number), 0.03, 0.0) for number in numbers(row, column, 3)]


@checklist("edr", "AT 37-49", "the query")
def test_one_parameter_at_one_point_is_a_coverage_of_the_formula(ask, coverage_of, place):
    x, y = place(30, 40)

    coverage = coverage_of(ask("s2/position", coords=point(x, y), parameter_name="NDVI"))

    assert (coverage["type"], coverage["domain"]["domainType"]) == ("Coverage", "PointSeries")
    assert coverage["domain"]["axes"] == {"t": {"values": DEKADS}, "x": {"values": [x]}, "y": {"values": [y]}}
    assert coverage["ranges"]["NDVI"] == {
        "type": "NdArray",
        "dataType": "float",
        "axisNames": ["t"],
        "shape": [4],
        "values": ndvi(30, 40),
    }


def test_parameters_of_other_times_have_separate_coverages(ask, coverage_of, place):
    first, second = coverage_of(ask("s2/position", coords=point(*place(30, 40))))["coverages"]

    assert first["ranges"]["NDVI"]["values"] == ndvi(30, 40)
    assert second["ranges"]["LAI"]["values"] == lai(30, 40)
    assert [each["domain"]["axes"]["t"]["values"] for each in (first, second)] == [DEKADS, LAI_TIMES]


def test_parameters_of_the_same_times_share_a_coverage(ask, coverage_of, place):
    coverage = coverage_of(
        ask("s2/position", coords=point(*place(30, 40)), datetime="2020-06-01/2020-06-11", parameter_name="LAI,NDVI")
    )

    assert {name: each["values"] for name, each in coverage["ranges"].items()} == {
        "LAI": lai(30, 40)[:2],
        "NDVI": ndvi(30, 40)[1:3],
    }


@pytest.mark.parametrize("name", ["S2_NDVI", "NDVI"])
def test_layer_is_a_collection_of_one_parameter_under_each_of_its_names(ask, coverage_of, place, name):
    assert list(coverage_of(ask(f"{name}/position", coords=point(*place(30, 40))))["ranges"]) == ["NDVI"]


def test_several_points_have_a_coverage_each(ask, coverage_of, place):
    (x1, y1), (x2, y2) = place(30, 40), place(200, 390)

    document = coverage_of(ask("NDVI/position", coords=f"MULTIPOINT(({x1!r} {y1!r}),({x2!r} {y2!r}))"))

    assert [each["ranges"]["NDVI"]["values"] for each in document["coverages"]] == [ndvi(30, 40), ndvi(200, 390)]
    assert [each["domain"]["axes"]["x"]["values"] for each in document["coverages"]] == [[x1], [x2]]


def test_of_several_points_one_outside_has_no_values(ask, coverage_of, place):
    x, y = place(30, 40)

    document = coverage_of(ask("NDVI/position", coords=f"MULTIPOINT({x!r} {y!r}, 40 50)"))

    assert document["coverages"][1]["ranges"]["NDVI"]["values"] == [None] * 4


@pytest.mark.parametrize(
    ("crs", "order"),
    [
        ("http://www.opengis.net/def/crs/EPSG/0/32631", ["x", "y"]),
        ("EPSG:3035", ["y", "x"]),
        ("[EPSG:4326]", ["y", "x"]),
        ("CRS84", ["x", "y"]),
    ],
)
def test_coords_are_in_the_axis_order_of_crs_and_returned_in_it(ask, coverage_of, place, crs, order):
    code = {"CRS84": "CRS:84"}.get(crs, f"EPSG:{crs.strip('[]').split('/')[-1].split(':')[-1]}")
    x, y = place(30, 40, code)
    written = point(x, y) if order == ["x", "y"] else point(y, x)

    coverage = coverage_of(ask("NDVI/position", coords=written, crs=crs))

    axes = coverage["domain"]["axes"]
    assert (axes["x"]["values"], axes["y"]["values"]) == ([x], [y])
    assert coverage["domain"]["referencing"][0]["coordinates"] == order
    assert coverage["ranges"]["NDVI"]["values"] == ndvi(30, 40)


@pytest.mark.parametrize(
    "text", ["point({} {})", "POINT ( {}  {} )", "POINT Z({} {} 12)", "POINT M ({} {} 1)", "POINTZM({} {} 1 2)"]
)
def test_points_are_read_in_any_spelling(ask, coverage_of, place, text):
    coverage = coverage_of(ask("NDVI/position", coords=text.format(*place(30, 40))))

    assert coverage["ranges"]["NDVI"]["values"] == ndvi(30, 40)


@pytest.mark.parametrize(
    ("datetime", "expected"),
    [
        ("2020-06-01", slice(1, 2)),
        ("2020-06-01T00:00:00Z", slice(1, 2)),
        ("../2020-06-01", slice(0, 2)),
        ("2020-06-11/..", slice(2, 4)),
        ("2020-05-30/2020-06-15", slice(1, 3)),
        ("2020-06", slice(1, 4)),
        ("latest", slice(3, 4)),
    ],
)
def test_datetime_selects_times_and_the_answer_lists_them(ask, coverage_of, place, datetime, expected):
    answer = ask("NDVI/position", coords=point(*place(30, 40)), datetime=datetime)

    assert coverage_of(answer)["ranges"]["NDVI"]["values"] == ndvi(30, 40)[expected]
    assert answer.headers["chronotile-time"] == ",".join(reversed(DEKADS[expected]))


def test_interval_without_an_instant_has_no_coverage(ask, coverage_of, place):
    document = coverage_of(ask("NDVI/position", coords=point(*place(30, 40)), datetime="1999/2000"))

    assert (document["type"], document["coverages"]) == ("CoverageCollection", [])
    assert list(document["parameters"]) == ["NDVI"]


def test_other_formats_of_no_time_are_empty_too(ask, place):
    query = {"coords": point(*place(30, 40)), "datetime": "1999/2000"}

    assert ask("NDVI/position", **query, f="CSV").text == "time,x,y,NDVI\n"
    assert ask("NDVI/position", **query, f="GeoJSON").json()["features"] == []


def test_parameter_without_the_one_requested_time_is_omitted(ask, coverage_of, place):
    coverage = coverage_of(ask("s2/position", coords=point(*place(30, 40)), datetime="2020-07-01"))

    assert {name: each["values"] for name, each in coverage["ranges"].items()} == {"LAI": lai(30, 40)[2:]}


def test_layer_without_time_is_a_point(ask, coverage_of, place):
    coverage = coverage_of(ask("HEIGHT/position", coords=point(*place(30, 40))))

    assert coverage["domain"]["domainType"] == "Point"
    assert list(coverage["domain"]["axes"]) == ["x", "y"]
    assert coverage["ranges"]["HEIGHT"]["values"] == numbers(30, 40)[:1]


def test_flags_and_nodata_are_no_values(ask, coverage_of, place):
    x, y = place(0, 40)
    nodata = coverage_of(ask("NDVI/position", coords=point(x, y)))
    flagged = [number if 0 <= number <= 200 and number not in {10, 20} else None for number in numbers(30, 2)]

    found = coverage_of(ask("FLAGGED/position", coords=point(*place(30, 2))))

    assert nodata["ranges"]["NDVI"]["values"] == [None] * 4
    assert found["ranges"]["FLAGGED"]["values"] == flagged


def test_categories_are_whole_numbers_with_their_names(ask, coverage_of, place):
    coverage = coverage_of(ask("CROP/position", coords=point(*place(30, 40))))

    crop = coverage["ranges"]["CROP"]
    assert (crop["dataType"], crop["values"]) == ("integer", numbers(30, 40))
    assert coverage["parameters"]["CROP"]["categoryEncoding"]["#100"] == 100


def test_place_across_the_antimeridian_is_found(ask, coverage_of, place):
    coverage = coverage_of(ask("DMP/position", coords="POINT(190.5 10.5)"))

    assert coverage["domain"]["axes"]["x"]["values"] == [-169.5]
    assert coverage["ranges"]["DMP"]["values"] == numbers(79, 10)


@checklist("edr", "AT 18-23")
def test_geojson_is_of_edr(ask, assert_valid, place):
    x, y = place(30, 40)

    answer = ask("s2/position", coords=point(x, y), f="GeoJSON")

    document = answer.json()
    assert_valid(document, "edr", "edrFeatureCollectionGeoJSON")
    (feature,) = document["features"]
    told = feature["properties"]
    assert answer.headers["content-type"] == "application/geo+json"
    assert feature["geometry"] == {"type": "Point", "coordinates": [x, y]}
    assert (told["datetime"], told["parameter-name"]) == (f"{DEKADS[0]}/{LAI_TIMES[-1]}", ["NDVI", "LAI"])
    assert told["times"] == [*DEKADS, LAI_TIMES[-1]]
    assert told["values"] == {"NDVI": [*ndvi(30, 40), None], "LAI": [None, *lai(30, 40)[:2], None, lai(30, 40)[2]]}


@checklist("edr", "AT 22", "AT 23")
def test_parameters_of_geojson_have_plain_texts(ask, place):
    """OGC's suite requires texts; CoverageJSON has a text per language."""
    x, y = place(30, 40)

    ndvi_told, *_others = ask("s2/position", coords=point(x, y), f="GeoJSON").json()["parameters"]
    (crop,) = ask("CROP/position", coords=point(x, y), f="GeoJSON").json()["parameters"]

    assert (ndvi_told["id"], ndvi_told["observedProperty"]) == ("NDVI", {"label": "NDVI"})
    assert crop["observedProperty"]["label"] == "CROP"
    assert crop["observedProperty"]["categories"][7] == {"id": "#7", "label": "crop 7"}


def test_endpoint_of_a_feature_answers_for_it(tree, ask, place):
    first = ask("s2/position", coords=point(*place(30, 40, "EPSG:32631")), crs="EPSG:32631", f="GeoJSON").json()
    (feature,) = first["features"]

    again = tree.get(f"{feature['properties']['edrqueryendpoint']}&f=GeoJSON")

    assert again.json()["features"][0]["properties"]["values"] == feature["properties"]["values"]


def test_csv_has_a_line_per_time_and_a_column_per_parameter(ask, place):
    x, y = place(30, 40)

    answer = ask("s2/position", coords=point(x, y), f="csv")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(rows[0]) == ["time", "x", "y", "NDVI", "LAI"]
    assert [row["time"] for row in rows] == [*DEKADS, LAI_TIMES[-1]]
    assert [row["NDVI"] for row in rows] == [*map(repr, ndvi(30, 40)), ""]
    assert {(row["x"], row["y"]) for row in rows} == {(repr(x), repr(y))}


def test_csv_of_timeless_data_has_an_empty_field(ask, place):
    answer = ask("HEIGHT/position", coords=point(*place(30, 40)), f="CSV")

    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["time"], float(row["HEIGHT"])) == ("", numbers(30, 40)[0])


def test_value_without_time_is_repeated_at_each_time_of_others(ask, place):
    answer = ask("kinds/position", coords=point(*place(30, 40)), parameter_name="HEIGHT,CROP", f="CSV")

    assert [float(row["HEIGHT"]) for row in csv.DictReader(io.StringIO(answer.text))] == numbers(30, 40)[:1] * 4


def test_netcdf_is_a_time_series_of_stations(ask, place):
    answer = ask("s2/position", coords=point(*place(30, 40)), f="netcdf")

    assert answer.headers["content-disposition"] == 'attachment; filename="s2.nc"'
    with xr.open_dataset(io.BytesIO(answer.content), engine="h5netcdf") as found:
        assert found.attrs["featureType"] == "timeSeries"
        assert found["NDVI"].values[0, :4].tolist() == pytest.approx(ndvi(30, 40), rel=1e-12)  # binary: full precision
        assert found["LAI"].attrs["units"] == "m2 m-2"
        assert found["LAI"].values[0, [1, 2, 4]].tolist() == pytest.approx(lai(30, 40), rel=1e-12)


def test_answers_name_whom_data_are_from(ask, place):
    document = ask("s2/position", coords=point(*place(30, 40))).json()

    assert (document["attribution"], document["license"]) == ("Copernicus & co", "CC-BY-4.0")


def test_answer_that_the_client_holds_is_not_sent_again(ask, place):
    where = point(*place(30, 40))
    etag = ask("NDVI/position", coords=where).headers["etag"]

    again = ask("NDVI/position", coords=where, headers={"If-None-Match": etag})
    other = ask("NDVI/position", coords=where, f="CSV", headers={"If-None-Match": etag})

    assert (again.status_code, again.content, other.status_code) == (304, b"", 200)


ACCEPTS = [
    ("application/vnd.cov+json", "application/vnd.cov+json"),
    ("application/json", "application/json"),
    ("application/prs.coverage+json, application/json;q=0.9", "application/prs.coverage+json"),
    ("application/geo+json", "application/geo+json"),
    ("text/csv", "text/csv; charset=utf-8"),
    ("application/netcdf", "application/netcdf"),
    ("application/x-netcdf", "application/x-netcdf"),
    ("text/html,application/xhtml+xml,*/*;q=0.8", "application/prs.coverage+json"),
]


@pytest.mark.parametrize(("accept", "media_type"), ACCEPTS)
def test_accept_names_the_format(ask, place, accept, media_type):
    answer = ask("NDVI/position", coords=point(*place(30, 40)), headers={"Accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert "Accept" in answer.headers["vary"]


def test_type_that_is_not_offered_is_not_acceptable(ask, place):
    answer = ask("NDVI/position", coords=point(*place(30, 40)), headers={"Accept": "image/png"})

    assert answer.status_code == 406


REFUSED = {
    "no parameter at all": ({}, "coords"),
    "no coords": ({"coords": ""}, "coords"),
    "broken coords": ({"coords": "POINT(4.8)"}, "coords"),
    "no numbers": ({"coords": "POINT(a b)"}, "coords"),
    "another geometry": ({"coords": "POLYGON((4 50,5 50,5 51,4 50))"}, "coords"),
    "not finite": ({"coords": "POINT(1e999 50)"}, "coords"),
    "outside": ({"coords": "POINT(40.8 50.8)"}, "coords"),
    "nowhere on earth": ({"coords": "MULTIPOINT(1e30 1e30,610000 5640000)", "crs": "EPSG:32631"}, "coords"),
    "all outside": ({"coords": "MULTIPOINT(40.8 50.8,41 51)"}, "coords"),
    "no degrees": ({"coords": "POINT(500 50.8)"}, "coords"),
    "unknown parameter": ({"coords": "POINT(4.8 50.8)", "parameter_name": "FOO"}, "parameter-name"),
    "another spelling": ({"coords": "POINT(4.8 50.8)", "parameters": "NDVI"}, "parameters"),
    "unknown CRS": ({"coords": "POINT(4.8 50.8)", "crs": "EPSG:9999"}, "crs"),
    "no time": ({"coords": "POINT(4.8 50.8)", "datetime": "yesterday"}, "datetime"),
    "time backwards": ({"coords": "POINT(4.8 50.8)", "datetime": "2021/2020"}, "datetime"),
    "no level": ({"coords": "POINT(4.8 50.8)", "z": "high"}, "z"),
    "unknown format": ({"coords": "POINT(4.8 50.8)", "f": "xlsx"}, "f"),
    "a format of cells": ({"coords": "POINT(4.8 50.8)", "f": "GeoTIFF"}, "f"),
}


@checklist("edr", "AT 34", "AT 35/36")
@pytest.mark.parametrize(("query", "parameter"), REFUSED.values(), ids=REFUSED)
def test_invalid_value_is_named(ask, query, parameter):
    answer = ask("s2/position", **query)

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["parameter_names", "parameter_name", "PARAMETER-NAME"])
def test_parameters_have_the_names_that_owslib_uses(tree, name):
    answer = tree.get("/ogcapi/collections/s2/position", params={"coords": "POINT(4.8 50.8)", name: "LAI"})

    assert list(answer.json()["ranges"]) == ["LAI"]


def test_unknown_parameter_is_reported_with_the_existing_ones(ask):
    answer = ask("s2/position", coords="POINT(4.8 50.8)", parameter_name="NDVI,FOO")

    assert "NDVI, LAI" in answer.json()["detail"]


def test_time_of_no_parameter_is_not_found_and_the_nearest_is_named(ask):
    answer = ask("s2/position", coords="POINT(4.8 50.8)", datetime="2019-01-01")

    assert (answer.status_code, answer.json()["parameter"]) == (404, "datetime")
    assert answer.json()["nearest"] == [DEKADS[0]]


@pytest.mark.parametrize("name", ["TRUE_COLOUR", "nothing"])
def test_collection_without_values_has_no_position(ask, name):
    answer = ask(f"{name}/position", coords="POINT(4.8 50.8)")

    assert (answer.status_code, answer.json()["parameter"]) == (404, "collectionId")


@pytest.mark.parametrize("level", ["850", "10/100", "2,10,80", "R20/100/50"])
def test_levels_are_ignored_without_heights(ask, place, level):
    where = point(*place(30, 40))

    assert ask("NDVI/position", coords=where, z=level).content == ask("NDVI/position", coords=where).content


def test_too_many_values_are_refused_with_another_way(make_client):
    services = served.make_services(*served.tree_collections(), limits=served.Limits(max_series_values=6))

    answer = make_client(services).get("/ogcapi/collections/s2/position?coords=POINT(4.8 50.8)")

    assert (answer.status_code, answer.json()["type"]) == (400, "limit-exceeded")
    assert (answer.json()["allowed"], answer.json()["asked"]) == (6, 7)


@pytest.mark.parametrize("coords", ["POINT(4.8 50.8)", "MULTIPOINT(4.8 50.8,4.81 50.8)"])
def test_missing_source_is_unavailable(make_client, coords):
    services = served.make_services(*served.tree_collections(), broken=["NDVI"])

    answer = make_client(services).get(f"/ogcapi/collections/s2/position?coords={coords}")

    assert answer.status_code == 503


@pytest.mark.parametrize("datetime", ["..", "2020-06-05/..", "2020-06-01", "latest"])
def test_values_equal_those_of_the_point_series_in_every_format(tree, ask, place, datetime):
    x, y = place(30.3, 40.2)
    when = {} if datetime == ".." else {"datetime": datetime}
    series = tree.get("/timeseries/NDVI/point", params={"lon": x, "lat": y, **when}).json()["values"]
    answers = {
        f: ask("NDVI/position", coords=point(x, y), f=f, **when) for f in ("CoverageJSON", "GeoJSON", "CSV", "NetCDF")
    }

    with xr.open_dataset(io.BytesIO(answers["NetCDF"].content), engine="h5netcdf") as found:
        netcdf = found["NDVI"].values[0].tolist()
    (feature,) = answers["GeoJSON"].json()["features"]
    rows = csv.DictReader(io.StringIO(answers["CSV"].text))
    assert answers["CoverageJSON"].json()["ranges"]["NDVI"]["values"] == series
    assert feature["properties"]["values"]["NDVI"] == series
    assert [float(row["NDVI"]) for row in rows] == series
    assert netcdf == pytest.approx(series, rel=1e-12)  # binary: full precision, not exact decimals


def test_many_points_have_the_values_that_each_has_alone(ask, coverage_of, place):
    places = [place(row, column) for row, column in [(3.4, 7.7), (150, 200), (299.2, 399.1), (150.2, 200.3)]]
    alone = [coverage_of(ask("NDVI/position", coords=point(*each))) for each in places]

    together = coverage_of(ask("NDVI/position", coords=f"MULTIPOINT({','.join(f'{x!r} {y!r}' for x, y in places)})"))

    assert [each["ranges"] for each in together["coverages"]] == [each["ranges"] for each in alone]


@pytest.fixture
def long(make_client):
    """Return a function: `long("CSV")` returns the answer of 100 points at 700 days, which is generated while sent."""
    days = served.days_of(*(str(np.datetime64("2018-01-01") + day) for day in range(700)))
    layer = served.make_layer("DAILY", variable=served.make_variable("DAILY", times=days))
    client = make_client(served.make_services(served.make_collection(layer)))
    points = ",".join(f"{600_050 + 100 * column} 5646950" for column in range(100))
    query = {"coords": f"MULTIPOINT({points})", "crs": "EPSG:32631"}
    return lambda f: client.get("/ogcapi/collections/DAILY/position", params={**query, "f": f})


@pytest.mark.slow
def test_long_answers_are_whole_in_every_format(long, coverage_of):
    expected = np.array(
        [[served.number_at(np.array(30), np.array(column), time) for time in range(700)] for column in range(100)]
    )

    coverages = coverage_of(long("CoverageJSON"))["coverages"]
    features = long("GeoJSON").json()["features"]
    rows = list(csv.DictReader(io.StringIO(long("CSV").text)))
    with xr.open_dataset(io.BytesIO(long("NetCDF").content), engine="h5netcdf") as found:
        netcdf = found["DAILY"].values
    assert np.array_equal([each["ranges"]["DAILY"]["values"] for each in coverages], expected)
    assert np.array_equal([each["properties"]["values"]["DAILY"] for each in features], expected)
    assert np.array_equal(np.array([float(row["DAILY"]) for row in rows]).reshape(100, 700), expected)
    assert np.array_equal(netcdf, expected)
