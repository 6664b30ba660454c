"""Pages of long series."""

import re

import pytest

from chronotile.catalog.limits import Limits


@pytest.fixture
def paths(longitude_latitude):
    """URLs of the same location as a point and as a box, without `limit`."""
    lon, lat = longitude_latitude(30, 40)
    return {
        "point": f"/timeseries/NDVI/point?lon={lon}&lat={lat}",
        "area": f"/timeseries/NDVI/area?bbox={lon - 0.001},{lat - 0.001},{lon + 0.001},{lat + 0.001}",
    }


def pages_from(client, url):
    """Return all answers by following the links to the next page."""
    while url is not None:
        answer = client.get(url)
        assert answer.status_code == 200
        yield answer.json()
        link = re.fullmatch('<(.+)>; rel="next"', answer.headers.get("link", ""))
        url = None if link is None else link[1]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["point", "area"])
def test_pages_have_all_times_once_and_in_order(client, paths, kind, limit):
    whole = client.get(paths[kind]).json()

    pages = list(pages_from(client, f"{paths[kind]}&limit={limit}"))

    assert [time for page in pages for time in page["times"]] == whole["times"]
    assert max(len(page["times"]) for page in pages) <= limit


def test_pages_of_a_list_of_times_exclude_times_between(client, paths):
    times = client.get(paths["point"]).json()["times"]

    pages = list(pages_from(client, f"{paths['point']}&datetime={times[0]},{times[3]}&limit=1"))

    assert [page["times"] for page in pages] == [[times[0]], [times[3]]]


def test_values_of_a_page_equal_those_of_the_whole(client, paths):
    whole = client.get(paths["point"]).json()

    first, second = pages_from(client, f"{paths['point']}&limit=2")

    assert first["values"] + second["values"] == whole["values"]


def test_a_page_after_the_last_time_is_empty(client, paths):
    answer = client.get(f"{paths['point']}&limit=2&cursor=2100-01-01")

    assert (answer.status_code, answer.json()["times"]) == (200, [])
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        pytest.param("limit=0", "limit", id="none"),
        pytest.param("limit=many", "limit", id="no number"),
        pytest.param("cursor=2020-01-01", "cursor", id="cursor alone"),
        pytest.param("limit=2&cursor=there", "cursor", id="no instant"),
        pytest.param("limit=2&smooth=whittaker", "limit", id="of an analysis"),
    ],
)
@pytest.mark.parametrize("kind", ["point", "area"])
def test_invalid_page_is_refused(client, paths, kind, more, parameter):
    answer = client.get(f"{paths[kind]}&{more}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def test_a_series_too_long_in_one_is_answered_page_by_page(make_client, make_services, paths):
    client = make_client(make_services(limits=Limits(max_series_values=3)))

    refused = client.get(paths["point"])
    pages = list(pages_from(client, f"{paths['point']}&limit=2"))

    assert refused.status_code == 400
    assert "limit=" in refused.json()["alternative"]
    assert sum(len(page["times"]) for page in pages) == 4
