"""`/layers/{layer}/times`: existing times in pages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.time.domain import domain_of_periods
from chronotile.core.model.time.periods import DEKAD
from tests.protocols import served

DEKADS = ["2020-05-21T00:00:00Z", "2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]
HOURS = served.domain_of_instants(np.datetime64("2020-01-01T00:30", "ns") + np.arange(2500) * np.timedelta64(1, "h"))


def test_default_is_all_times(client):
    answer = client.get("/layers/NDVI/times")

    assert list(answer.json()) == ["times", "ends", "valid_shares", "valid_shares_pending", "total", "next"]
    assert {name: answer.json()[name] for name in ("times", "total", "next")} == {
        "times": DEKADS,
        "total": 4,
        "next": None,
    }


def test_alias_answers(client):
    assert client.get("/layers/CGS_S2_NDVI/times").json()["total"] == 4


@pytest.mark.parametrize(
    ("datetime", "indexes"),
    [
        ("2020-06-01", [1]),
        ("2020-06-01T10:00:00Z", [1]),
        ("2020-06-05", []),
        ("2020-06", [1, 2, 3]),
        ("2020-05/2020-06-01", [0, 1]),
        ("../2020-06-01", [0, 1]),
        ("2020-06-11/..", [2, 3]),
        ("2020-05-21/2020-06-21/P21D", [0, 2]),
        ("2020-05-21,2020-06-21", [0, 3]),
        ("2030/2040", []),
        ("latest", [3]),
        ("default", [3]),
        ("", [0, 1, 2, 3]),
    ],
)
def test_datetime_filters(client, datetime, indexes):
    page = client.get(f"/layers/NDVI/times?datetime={datetime}").json()

    assert page["times"] == [DEKADS[index] for index in indexes]
    assert page["total"] == len(indexes)


def test_nothing_stands_in_for_a_time_that_is_not_there(client):
    assert client.get("/layers/RECENT/times?datetime=2020-06-12").json()["times"] == []


def test_days_end_with_the_next_midnight(client):
    page = client.get("/layers/NDVI/times").json()

    assert page["ends"] == [
        *("2020-05-22T00:00:00Z", "2020-06-02T00:00:00Z", "2020-06-12T00:00:00Z", "2020-06-22T00:00:00Z"),
    ]


def test_dekads_end_at_the_start_of_the_next(make_client, make_services):
    dekads = domain_of_periods(np.datetime64("2020-02-11", "ns"), DEKAD, 3)
    layer = served.make_layer(variable=served.make_variable(times=dekads))
    client = make_client(make_services(served.make_collection(layer)))

    page = client.get("/layers/NDVI/times?datetime=2020-02-29&limit=1").json()

    assert page["times"] == ["2020-02-21T00:00:00Z"]
    assert page["ends"] == ["2020-03-01T00:00:00Z"]
    assert client.get("/layers/NDVI/times").json()["ends"][-1] == "2020-03-11T00:00:00Z"


def test_layer_without_time_has_none(client):
    page = client.get("/layers/HEIGHT/times").json()

    assert page == {"times": [], "ends": [], "valid_shares": [], "valid_shares_pending": 0, "total": 0, "next": None}


@pytest.fixture
def hourly(make_client, make_services):
    """Client of a layer with 2,500 hourly times."""
    layer = served.make_layer(variable=served.make_variable(times=HOURS))
    return make_client(make_services(served.make_collection(layer)))


def test_exact_instants_have_no_ends(hourly):
    assert hourly.get("/layers/NDVI/times?limit=2").json()["ends"] == [None, None]


def follow(client, url: str) -> list[dict]:
    """The pages from `url` to the last."""
    pages = []
    while url is not None:
        pages.append(client.get(url).json())
        url = pages[-1]["next"]
    return pages


def test_page_has_a_thousand_times_unless_fewer_are_requested(hourly):
    pages = follow(hourly, "/layers/NDVI/times")

    assert [len(page["times"]) for page in pages] == [1000, 1000, 500]
    assert [page["total"] for page in pages] == [2500] * 3


@pytest.mark.parametrize("limit", [1, 7, 99, 100])
def test_pages_together_are_the_whole(hourly, limit):
    query = "datetime=2020-01-02/2020-01-05&bbox=4,50,5,51"

    pages = follow(hourly, f"/layers/NDVI/times?{query}&limit={limit}")

    together = [time for page in pages for time in page["times"]]
    assert together == hourly.get(f"/layers/NDVI/times?{query}").json()["times"]
    assert len(together) == 96
    assert all(len(page["times"]) == len(page["ends"]) == len(page["valid_shares"]) <= limit for page in pages)


def test_next_is_an_absolute_url_with_the_same_parameters(hourly):
    answer = hourly.get("/layers/NDVI/times?datetime=2020-01-02/2020-01-05&limit=2")

    assert answer.json()["next"] == (
        "http://testserver/layers/NDVI/times?datetime=2020-01-02%2F2020-01-05&limit=2&cursor=2020-01-02T02%3A30%3A00Z"
    )


def test_cursor_holds_its_place_when_earlier_times_are_added(make_client, make_services):
    few, more = (
        make_client(
            make_services(served.make_collection(served.make_layer(variable=served.make_variable(times=times))))
        )
        for times in (served.days_of("2020-06-01", "2020-06-11"), served.days_of("2019-01-01", *DEKADS))
    )
    following = few.get("/layers/NDVI/times?limit=1").json()["next"]

    assert more.get(following).json()["times"] == DEKADS[2:3]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=here", "cursor"),
        ("datetime=soon", "datetime"),
        ("datetime=2020-06-02/2020-06-01", "datetime"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=5,50,4,51", "bbox"),
        ("bbox=4,50,nan,51", "bbox"),
        ("bbox=4,50,5,51&crs=EPSG:9999", "crs"),
        ("time=2020", "time"),
        ("startDate=2020", "startDate"),
        ("Limits=5", "Limits"),
    ],
)
def test_faults_name_the_parameter(client, query, parameter):
    answer = client.get(f"/layers/NDVI/times?{query}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def test_default_of_a_layer_that_has_none_is_refused(client):
    answer = client.get("/layers/UNDATED/times?datetime=default")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "datetime")


TEXT = st.text(max_size=40)
NAMES = st.sampled_from(["datetime", "limit", "bbox", "crs", "cursor", "lang"])
VALUES = st.sampled_from(["2020-06", "2020/..", "7", "1,2,3,4", "EPSG:3857", "latest"])


@pytest.mark.slow
@given(pairs=st.lists(st.tuples(NAMES | TEXT, TEXT | VALUES), max_size=6))
@pytest.mark.parametrize("path", ["/layers", "/layers/NDVI", "/layers/NDVI/times"])
def test_any_query_is_answered_or_refused(session_client, path, pairs):
    answer = session_client.get(path, params=pairs)

    assert answer.status_code in {200, 400}
    assert "NaN" not in answer.text


def counted(client, url: str) -> dict:
    """Return the page after all requested times are counted."""
    client.get(url)
    list(iter(client.app.state.chronotile.valid_shares.count_next, False))
    return client.get(url).json()


def test_shares_of_valid_pixels_are_listed_when_counted(client):
    page = counted(client, "/layers/NDVI/times?datetime=2020-06")

    assert (page["valid_shares"], page["valid_shares_pending"]) == ([0.9967] * 3, 0)


def test_shares_are_those_of_the_box(client):
    north = "crs=EPSG:32631&bbox=600000,5649000,640000,5650000"

    assert counted(client, f"/layers/NDVI/times?{north}")["valid_shares"] == [0.9] * 4
    assert counted(client, "/layers/NDVI/times?bbox=0,0,1,1")["valid_shares"] == [None] * 4


def test_a_page_has_the_shares_of_its_times(hourly):
    page = counted(hourly, "/layers/NDVI/times?datetime=2020-01-02&limit=3&cursor=2020-01-02T05:30:00Z")

    assert page["valid_shares"] == [0.9967] * 3
    assert hourly.app.state.chronotile.valid_shares.waiting == 0


def test_answer_with_uncounted_shares_is_not_cached(client):
    first = client.get("/layers/NDVI/times")
    counted(client, "/layers/NDVI/times")
    later = client.get("/layers/NDVI/times")

    assert (first.json()["valid_shares"], first.json()["valid_shares_pending"]) == ([None] * 4, 4)
    assert [answer.headers["cache-control"].split(",")[0] for answer in (first, later)] == ["no-cache", "public"]


def test_shares_of_a_layer_that_cannot_be_read_stay_unknown(client):
    page = counted(client, "/layers/GONE/times")

    assert (page["valid_shares"], page["valid_shares_pending"]) == ([None] * 4, 0)


def test_metrics_count_waiting_shares(client):
    assert "chronotile_shares_waiting 0.0" in client.get("/metrics").text
