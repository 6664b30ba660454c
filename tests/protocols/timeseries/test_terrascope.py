"""Terrascope's clients work by changing the host: the same keys, JSON types and order (TERRASCOPE.md section 1)."""

import json

import pytest

from chronotile.core.model.time.domain import NO_TIME
from tests.protocols import served

ROW, COLUMN = 30, 40
BASES = ["/timeseries/v1.0/ts", "/timeseries/v1.1/ts"]


@pytest.fixture
def place(longitude_latitude):
    """Query of the centre of a cell of the formula."""
    longitude, latitude = longitude_latitude(ROW, COLUMN)
    return f"lon={longitude}&lat={latitude}"


def expected(time: int, date: str) -> dict:
    value = float(served.number_at(ROW, COLUMN, time))
    return {"date": date, "result": {"totalCount": 1, "validCount": 1, "average": value}}


@pytest.mark.parametrize("path", [f"{base}{end}" for base in BASES for end in ("", "/")])
def test_list_names_layers_and_aliases_with_dates_and_bounds(make_client, make_services, path):
    layer = served.make_layer(aliases=served.varied_collections()[0].layers[0].aliases)
    client = make_client(make_services(served.make_collection(layer)))

    answer = client.get(path)

    dates = ["2020-05-21T00:00:00Z", "2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]
    names = [entry["name"] for entry in answer.json()["layers"]]
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["layers"]
    assert names == ["NDVI", "CGS_S2_NDVI", "S2_NDVI"]
    assert all(list(entry) == ["name", "dates", "bounds"] for entry in answer.json()["layers"])
    assert all(entry["dates"] == dates for entry in answer.json()["layers"])


def test_list_has_bounds_in_degrees(make_client):
    bounds = make_client().get("/timeseries/v1.1/ts/").json()["layers"][0]["bounds"]

    assert list(bounds) == ["xmin", "ymin", "xmax", "ymax"]
    assert [round(edge, 1) for edge in bounds.values()] == [4.4, 50.7, 5.0, 51.0]


def test_list_keeps_layers_without_dates_and_leaves_out_composites(client):
    entries = {entry["name"]: entry for entry in client.get("/timeseries/v1.0/ts").json()["layers"]}

    assert entries["HEIGHT"]["dates"] == []
    assert "TRUE_COLOUR" not in entries


def test_list_is_answered_304_to_who_has_it(make_client):
    client = make_client()
    etag = client.get(BASES[0]).headers["etag"]

    answer = client.get(BASES[0], headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("name", ["NDVI", "CGS_S2_NDVI"])
def test_point_gives_one_result_a_date(client, place, base, name, end):
    answer = client.get(f"{base}/{name}/point{end}?{place}&startDate=2020-06-01&endDate=2020-06-21")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "results": [expected(1, "2020-06-01"), expected(2, "2020-06-11"), expected(3, "2020-06-21")]
    }


def test_point_has_keys_in_the_order_and_numbers_of_the_types_of_terrascope(client, place):
    answer = client.get(f"{BASES[0]}/NDVI/point?{place}&startDate=2020-06-01&endDate=2020-06-01")

    assert answer.text == ('{"results":[{"date":"2020-06-01","result":{"totalCount":1,"validCount":1,"average":160}}]}')


@pytest.mark.parametrize(
    ("dates", "count"),
    [
        ("", 4),
        ("startDate=2020-06-01", 3),
        ("endDate=2020-06-01", 2),
        ("startDate=&endDate=", 4),
        ("startDate=1970-01-01&endDate=2099-01-01", 4),
        ("startDate=2020-06-11&endDate=2020-06-11", 1),
        ("startDate=2020-06-11T00:00:00Z&endDate=2020-06-20", 1),
        ("startDate=2020-06-02&endDate=2020-06-10", 0),
        ("STARTDATE=2020-06&enddate=2020-06", 3),
    ],
)
def test_dates_are_inclusive_and_may_be_absent(make_client, place, dates, count):
    answer = make_client().get(f"{BASES[0]}/NDVI/point?{place}&{dates}")

    assert len(answer.json()["results"]) == count


def test_date_without_a_value_has_a_null_average_and_no_valid_pixel(make_client, longitude_latitude):
    longitude, latitude = longitude_latitude(0, COLUMN)

    answer = make_client().get(f"{BASES[0]}/NDVI/point?lon={longitude}&lat={latitude}&endDate=2020-05-21")

    assert answer.text == (
        '{"results":[{"date":"2020-05-21","result":{"totalCount":1,"validCount":0,"average":null}}]}'
    )


def test_day_with_several_instants_names_them_in_full(make_client, make_services, place):
    times = served.days_of("2020-06-20T10:50:31", "2020-06-20T11:02:00", "2020-06-25T10:50:29")
    layer = served.make_layer(variable=served.make_variable(times=times))
    client = make_client(make_services(served.make_collection(layer)))

    results = client.get(f"{BASES[0]}/NDVI/point?{place}&startDate=2020-06-20T11").json()["results"]

    assert [result["date"] for result in results] == ["2020-06-20T11:02:00Z", "2020-06-25"]


def test_layer_without_time_has_no_results(make_client, make_services, place):
    layer = served.make_layer(variable=served.make_variable(times=NO_TIME))
    client = make_client(make_services(served.make_collection(layer)))

    assert client.get(f"{BASES[0]}/NDVI/point?{place}").json() == {"results": []}


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("lat=50.9", 400, "lon"),
        ("lon=4.5", 400, "lat"),
        ("lon=4.5&lat=", 400, "lat"),
        ("lon=east&lat=50.9", 400, "lon"),
        ("lon=nan&lat=50.9", 400, "lon"),
        ("lon=4.5&lat=inf", 400, "lat"),
        ("lon=361&lat=50.9", 400, "lon"),
        ("lon=4.5&lat=90.5", 400, "lat"),
        ("lon=4.5&lon=4.6&lat=50.9", 400, "lon"),
        ("lon=10&lat=50.9", 400, "lon,lat"),
        ("lon=50.9&lat=4.5", 400, "lon,lat"),
        ("lon=4.5&lat=50.9&startDate=yesterday", 400, "startDate"),
        ("lon=4.5&lat=50.9&endDate=2020-02-30", 400, "endDate"),
        ("lon=4.5&lat=50.9&startDate=2020-06-02&endDate=2020-06-01", 400, "endDate"),
        ("lon=4.5&lat=50.9&maxValids=0", 400, "maxValids"),
        ("lon=4.5&lat=50.9&maxValids=-2", 400, "maxValids"),
        ("lon=4.5&lat=50.9&inclCount=maybe", 400, "inclCount"),
    ],
)
def test_faults_name_the_parameter(make_client, query, status, parameter):
    answer = make_client().get(f"{BASES[0]}/NDVI/point?{query}")

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["parameter"]) == (status, parameter)


def test_latitude_given_as_longitude_is_reported(make_client):
    answer = make_client().get(f"{BASES[0]}/NDVI/point?lon=50.9&lat=4.5")

    assert "swapped" in answer.json()["detail"]


def test_unknown_product_is_404_and_cached_for_a_minute(client):
    answer = client.get(f"{BASES[0]}/NDVJ/point?lon=4.5&lat=50.9")

    assert (answer.status_code, answer.headers["cache-control"]) == (404, "max-age=60")
    assert answer.json()["parameter"] == "productId"
    assert "NDVI" in answer.json()["detail"]


def test_composite_has_no_series(client, place):
    answer = client.get(f"{BASES[0]}/TRUE_COLOUR/point?{place}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "productId")


def test_missing_source_is_503_with_the_name_of_the_layer(client, place):
    answer = client.get(f"{BASES[0]}/GONE/point?{place}")

    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    assert "GONE" in answer.json()["detail"]
    assert "retry-after" in answer.headers


@pytest.mark.parametrize("path", ["test", "geometry/cv", "geometry/histogram", "nothing"])
def test_undocumented_paths_are_404(client, path):
    assert client.get(f"{BASES[0]}/NDVI/{path}").status_code == 404


@pytest.mark.parametrize(("most", "indexes"), [("-1", [1, 2, 3]), ("2", [2, 3]), ("9", [1, 2, 3]), ("", [0, 1, 2, 3])])
def test_max_valids_leaves_dates_without_a_value_out(make_client, make_services, place, most, indexes):
    first = int(served.number_at(ROW, COLUMN, 0))
    layer = served.make_layer(variable=served.make_variable(flags=((first, "cloud"),)))
    client = make_client(make_services(served.make_collection(layer)))

    results = client.get(f"{BASES[0]}/NDVI/point?{place}&maxValids={most}").json()["results"]

    dates = ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"]
    assert [result["date"] for result in results] == [dates[index] for index in indexes]


def test_etag_of_another_answer_does_not_match(make_client, place):
    client = make_client()
    etag = client.get(f"{BASES[0]}/NDVI/point?{place}").headers["etag"]

    answer = client.get(f"{BASES[0]}/NDVI/point?{place}&maxValids=1", headers={"If-None-Match": etag})

    assert answer.status_code == 200


def test_answers_are_as_small_as_json_allows(make_client, place):
    answer = make_client().get(f"{BASES[0]}/NDVI/point?{place}")

    assert answer.text == json.dumps(answer.json(), separators=(",", ":"))


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        *(("stratDate", "startDate"), ("start_date", "startDate"), ("start", "startDate"), ("to", "endDate")),
        *(("datetime", "startDate and endDate"), ("maxValid", "maxValids"), ("incl_count", "inclCount")),
    ],
)
def test_misspelt_and_foreign_names_are_refused(client, place, name, instead):
    answer = client.get(f"{BASES[0]}/NDVI/point?{place}&{name}=2020-06-01")

    assert answer.status_code == 400
    assert answer.json()["detail"] == f"{name} is not a parameter here; use {instead}"


def test_names_of_other_programs_are_let_be(client, place):
    assert client.get(f"{BASES[0]}/NDVI/point?{place}&_=17&token=secret").status_code == 200
