"""Our own point series (docs/reference/layers-and-series.md)."""

import csv
import io

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from chronotile.catalog.limits import Limits
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import NO_TIME
from tests.decimals import cell_value
from tests.protocols import served

ROW, COLUMN = 30, 40
EVERY_DEKAD = ["2020-05-21T00:00:00Z", "2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]


def numbers(row=ROW, column=COLUMN) -> list[int]:
    return [int(served.number_at(row, column, time)) for time in range(len(EVERY_DEKAD))]


@pytest.fixture
def place(longitude_latitude):
    longitude, latitude = longitude_latitude(ROW, COLUMN)
    return f"lon={longitude}&lat={latitude}"


def test_json_is_the_document_of_the_contract(make_client, make_services, longitude_latitude):
    variable = served.make_variable(scale=0.004, offset=-0.08, units="1")
    client = make_client(make_services(served.make_collection(served.make_layer(variable=variable))))
    longitude, latitude = longitude_latitude(ROW, COLUMN)

    answer = client.get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}")

    assert list(answer.json()) == ["layer", "units", "point", "times", "values", "reasons"]
    assert answer.json() == {
        "layer": "NDVI",
        "units": "1",
        "point": [longitude, latitude],
        "times": EVERY_DEKAD,
        "values": [cell_value(int(number), 0.004, -0.08) for number in numbers()],
        "reasons": [None] * 4,
    }


def test_reasons_explain_missing_values(make_client, make_services, longitude_latitude):
    number = numbers()[1]
    variable = served.make_variable(flags=((number, "cloud"),), valid_range=(0, numbers()[2] - 1))
    client = make_client(make_services(served.make_collection(served.make_layer(variable=variable))))
    longitude, latitude = longitude_latitude(ROW, COLUMN)

    series = client.get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}").json()

    assert series["values"] == [float(numbers()[0]), None, None, None]
    assert series["reasons"] == [None, "cloud", "outside_range", "outside_range"]


@pytest.mark.parametrize("ask", [{"format": "csv"}, {"format": "CSV"}], ids=["csv", "any case"])
def test_csv_has_one_line_per_time(make_client, place, ask):
    answer = make_client().get(f"/timeseries/NDVI/point?{place}", params={**_pairs(place), **ask})

    lines = list(csv.reader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert lines[0] == ["time", "value", "reason"]
    assert lines[1:] == [[time, f"{value}", ""] for time, value in zip(EVERY_DEKAD, numbers(), strict=True)]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv; charset=utf-8"),
        ("text/csv;q=0.5, */*;q=0.8", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        ("", "application/json"),
    ],
)
def test_accept_decides_without_format(make_client, place, accept, media_type):
    answer = make_client().get(f"/timeseries/NDVI/point?{place}", headers={"Accept": accept})

    assert answer.headers["content-type"] == media_type
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("datetime", "indexes"),
    [
        ("2020-06-01", [1]),
        ("2020-06", [1, 2, 3]),
        ("../2020-06-01", [0, 1]),
        ("2020-06-11/..", [2, 3]),
        ("2020-05-21/2020-06-21/P21D", [0, 2]),
        ("2020-05-21,2020-06-21", [0, 3]),
        ("latest", [3]),
        ("current", [3]),
        ("default", [3]),
        ("2021-01-01/2021-12-31", []),
    ],
)
def test_datetime_selects(make_client, place, datetime, indexes):
    series = make_client().get(f"/timeseries/NDVI/point?{place}&datetime={datetime}").json()

    assert series["times"] == [EVERY_DEKAD[index] for index in indexes]
    assert series["values"] == [float(numbers()[index]) for index in indexes]


def test_instant_without_data_names_the_nearest(make_client, place):
    answer = make_client().get(f"/timeseries/NDVI/point?{place}&datetime=2020-06-05")

    assert (answer.status_code, answer.json()["parameter"]) == (404, "datetime")
    assert answer.json()["nearest"] == ["2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z"]


@pytest.mark.parametrize("crs", ["EPSG:32631", "epsg:32631", "urn:ogc:def:crs:EPSG::32631"])
def test_x_and_y_are_in_the_crs_they_name(make_client, crs):
    x, y = served.BELGIUM_31N.centre_of(ROW, COLUMN)

    series = make_client().get(f"/timeseries/NDVI/point?x={x}&y={y}&crs={crs}").json()

    assert series["values"] == [float(number) for number in numbers()]


def test_x_and_y_may_be_in_the_layers_own_crs_though_no_map_is(make_client, make_services):
    x, y = served.BELGIUM_31N.centre_of(ROW, COLUMN)
    client = make_client(make_services(crs=["EPSG:4326"]))

    assert client.get(f"/timeseries/NDVI/point?x={x}&y={y}&crs=EPSG:32631").status_code == 200


@pytest.mark.parametrize("names", [("x", "y"), ("lon", "lat")])
def test_metres_without_crs_are_refused_with_the_remedy(client, names):
    x, y = served.BELGIUM_31N.centre_of(ROW, COLUMN)

    answer = client.get(f"/timeseries/NDVI/point?{names[0]}={x}&{names[1]}={y}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, names[0])
    assert "coordinates in metres" in answer.json()["detail"]
    assert answer.json()["detail"].endswith("need crs=")


def test_unknown_crs_is_refused_with_each_accepted_one_once(make_client, make_services):
    client = make_client(make_services(crs=["EPSG:4326", "EPSG:32631"]))

    answer = client.get("/timeseries/NDVI/point?x=1&y=2&crs=EPSG:9999")

    assert answer.json()["detail"].count("EPSG:32631") == 1


@pytest.mark.parametrize("name", ["reducers=mean", "bbox=4,50,5,51", "dry_run=true"])
def test_parameters_of_areas_are_refused_for_a_point(client, place, name):
    answer = client.get(f"/timeseries/NDVI/point?{place}&{name}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, name.partition("=")[0])
    assert "/timeseries/{layer}/area" in answer.json()["detail"]


@pytest.mark.parametrize("crs", ["", "&crs=CRS:84", "&crs=EPSG:4326"])
def test_x_comes_before_y_in_any_crs(make_client, longitude_latitude, crs):
    longitude, latitude = longitude_latitude(ROW, COLUMN)

    series = make_client().get(f"/timeseries/NDVI/point?x={longitude}&y={latitude}{crs}").json()

    assert series["values"] == [float(number) for number in numbers()]


def _circular(west: float) -> NativeGrid:
    """Return a global grid with cells of one degree from `west` on."""
    return NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(1, 0, west, 0, -1, 90), width=360, height=180)


@pytest.mark.parametrize("west", [-180, 0])
@pytest.mark.parametrize(("longitude", "told"), [(-170.5, -170.5), (189.5, -170.5), (-350.5, 9.5), (180.5, -179.5)])
def test_longitudes_of_a_second_turn_are_the_same_place(make_client, make_services, west, longitude, told):
    layer = served.make_layer(variable=served.make_variable(grid=_circular(west)))
    client = make_client(make_services(served.make_collection(layer)))

    series = client.get(f"/timeseries/NDVI/point?lon={longitude}&lat=10.5&datetime=2020-06-01").json()

    column = int((longitude - west) % 360)
    assert series["values"] == [float(served.number_at(79, column, 1))]
    assert series["point"] == [told, 10.5]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("lon=4.5", "lat"),
        ("x=4.5", "y"),
        ("", "lon"),
        ("lon=4.5&lat=50.9&crs=EPSG:32631", "crs"),
        ("lon=4.5&lat=50.9&x=1&y=2", "x"),
        ("x=1&y=2&crs=EPSG:2154", "crs"),
        ("x=1&y=2&crs=%2Bproj=merc", "crs"),
        ("x=1&y=2&crs=foobar", "crs"),
        ("x=500000&y=1e300&crs=EPSG:3857", "x,y"),
        ("x=1e400&y=2", "x"),
        ("x=400&y=2", "x"),
        ("x=4&y=91&crs=EPSG:4326", "y"),
        ("lon=5.5&lat=50.9", "lon,lat"),
        ("x=5.5&y=50.9", "x,y"),
        ("lon=4.5&lat=50.9&format=xml", "format"),
        ("lon=4.5&lat=50.9&datetime=soon", "datetime"),
        ("lon=4.5&lat=50.9&datetime=2020-06-02/2020-06-01", "datetime"),
    ],
)
def test_faults_name_the_parameter(make_client, query, parameter):
    answer = make_client().get(f"/timeseries/NDVI/point?{query}")

    assert (answer.status_code, answer.json().get("parameter")) == (400, parameter)


def test_point_outside_is_refused_with_the_extent_of_the_layer(make_client):
    detail = make_client().get("/timeseries/NDVI/point?lon=6&lat=50.9").json()["detail"]

    assert "reaches from 4.4" in detail


def test_series_longer_than_the_limit_is_refused_before_reading(make_client, make_services, place):
    services = make_services(limits=Limits(max_series_values=3))

    answer = make_client(services).get(f"/timeseries/NDVI/point?{place}")

    assert answer.json() | {"detail": "", "title": "", "job": ""} == {
        "type": "limit-exceeded",
        "title": "",
        "status": 400,
        "detail": "",
        "parameter": "datetime",
        "limit": "max_series_values",
        "allowed": 3,
        "asked": 4,
        "job": "",
        "alternative": "request a shorter interval, or page by page with limit=",
    }
    assert services.readers["s2"].cells_read == []


def test_same_series_is_304_without_reading(make_client, make_services, place):
    services = make_services()
    client = make_client(services)
    path = f"/timeseries/NDVI/point?{place}"
    first = client.get(path)
    services.readers["s2"].cells_read.clear()

    answer = client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["cache-control"] == first.headers["cache-control"]
    assert services.readers["s2"].cells_read == []


def test_etag_distinguishes_place_time_format_and_revision(make_client, make_services, place):
    services = make_services()
    client = make_client(services)
    queries = [place, "lon=4.5&lat=50.9", f"{place}&datetime=2020-06-01", f"{place}&format=csv"]
    etags = {client.get(f"/timeseries/NDVI/point?{query}").headers["etag"] for query in queries}
    services.readers["s2"].revisions["NDVI"] = "r2"

    etags.add(client.get(f"/timeseries/NDVI/point?{place}").headers["etag"])

    assert len(etags) == 5


def test_etag_changes_when_numbers_come_to_mean_something_else(make_client, make_services, place):
    collections = [
        served.make_collection(served.make_layer(variable=served.make_variable(scale=scale))) for scale in (1.0, 2.0)
    ]

    etags = {
        make_client(make_services(collection)).get(f"/timeseries/NDVI/point?{place}").headers["etag"]
        for collection in collections
    }

    assert len(etags) == 2


@pytest.mark.parametrize(
    ("ask", "text"),
    [("json", '"times":[null],"values":[160],"reasons":[null]}'), ("csv", "time,value,reason\n,160,\n")],
)
def test_layer_without_time_has_one_value(make_client, make_services, longitude_latitude, ask, text):
    layer = served.make_layer(variable=served.make_variable(times=NO_TIME))
    client = make_client(make_services(served.make_collection(layer)))
    longitude, latitude = longitude_latitude(ROW, COLUMN)
    value = f"{served.number_at(ROW, COLUMN, 0)}"

    answer = client.get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}&format={ask}")

    assert answer.text.endswith(text.replace("160", value))


TEXT = st.text(max_size=40)
NAMES = st.sampled_from(["lon", "lat", "x", "y", "crs", "datetime", "format", "startDate", "endDate", "LON"])


@pytest.mark.slow
@given(pairs=st.lists(st.tuples(NAMES | TEXT, TEXT | st.sampled_from(["4.5", "50.9", "2020-06"])), max_size=8))
@pytest.mark.parametrize("path", ["/timeseries/NDVI/point", "/timeseries/v1.0/ts/NDVI/point", "/timeseries/v1.1/ts/"])
def test_any_query_is_answered_or_refused(session_client, path, pairs):
    answer = session_client.get(path, params=pairs)

    assert answer.status_code in {200, 400, 404}


def _pairs(query: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in query.split("&"))
