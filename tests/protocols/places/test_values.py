"""The matrix of values of a set of places over HTTP."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

VALUES = "/places/squares/values?layer=NDVI&datetime=2020-06-01/2020-06-30"


def area_series(client, geometry, query):
    response = client.post(f"/timeseries/NDVI/area?{query}", json=geometry)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_row_is_the_series_of_the_place(client):
    document = client.get(VALUES).json()

    features = client.get("/places/squares?format=geojson").json()["features"]
    query = "datetime=2020-06-01/2020-06-30"
    series = [area_series(client, feature["geometry"], query) for feature in features[:3]]
    assert document["times"] == series[0]["times"]
    assert document["values"][:3] == [each["features"][0]["series"]["mean"] for each in series]
    assert len(document["times"]) > 1


@pytest.mark.parametrize("how", ["weights=area", "weights=pixel&min_valid=1"])
def test_cells_count_as_in_the_series_of_the_place(client, how):
    (row,) = client.get(f"{VALUES}&{how}&limit=1").json()["values"]

    (feature,) = client.get(f"/timeseries/NDVI/area?place=squares/S0&datetime=2020-06-01/2020-06-30&{how}").json()[
        "features"
    ]
    assert row == pytest.approx(feature["series"]["mean"])


def test_a_place_outside_the_layer_has_no_values(client):
    document = client.get(VALUES).json()

    assert document["ids"] == ["S0", "S1", "S2", "S3"]
    assert document["values"][3] == [None] * len(document["times"])


def test_document_describes_itself(client):
    document = client.get(f"{VALUES}&reducer=P90").json()

    assert document["revision"] == client.get("/places/squares").json()["revision"]
    assert {name: document[name] for name in ("places", "layer", "units", "reducer", "offset", "total")} == {
        "places": "squares",
        "layer": "NDVI",
        "units": "1",
        "reducer": "p90",
        "offset": 0,
        "total": 4,
    }
    assert np.shape(document["values"]) == (4, len(document["times"]))


@pytest.mark.parametrize(
    ("path", "attribution"),
    [
        ("squares/values?layer=NDVI", "Copernicus & co; Made up"),
        ("squares/values?layer=TIMED", "Made up"),
        ("lambert/values?layer=TIMED", None),
    ],
)
def test_document_states_the_attribution_of_layer_and_places(client, path, attribution):
    assert client.get(f"/places/{path}").json().get("attribution") == attribution


def test_another_attribution_has_another_etag(client, make_client, services, squares):
    renamed = replace(squares, spec=replace(squares.spec, attribution="Others"))
    other = make_client(replace(services, catalogue=replace(services.catalogue, places={"squares": renamed})))

    assert other.get(VALUES).headers["etag"] != client.get(VALUES).headers["etag"]


def test_a_page_keeps_the_numbers_of_the_tiles(client):
    document = client.get(f"{VALUES}&limit=2&offset=1").json()

    assert document["ids"] == ["S1", "S2"]
    assert document["offset"] == 1
    assert document["values"] == client.get(VALUES).json()["values"][1:3]


def test_a_layer_without_time_has_one_column(client):
    document = client.get("/places/squares/values?layer=HEIGHT").json()

    assert document["times"] == [None]
    assert np.shape(document["values"]) == (4, 1)


def test_values_that_the_client_holds_are_not_read_again(client):
    first = client.get(VALUES)

    again = client.get(VALUES, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_a_table_has_the_same_values(client):
    document, answer = client.get(VALUES).json(), client.get(f"{VALUES}&format=csv")

    rows = list(csv.reader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert rows[0] == ["id", "time", "mean"]
    assert [row[:2] for row in rows[1:]] == [[name, time] for name in document["ids"] for time in document["times"]]
    assert [float(row[2]) if row[2] else None for row in rows[1:]] == [
        value for row in document["values"] for value in row
    ]


def test_other_values_have_another_validator(client):
    queries = ("", "&reducer=max", "&weights=area", "&min_valid=0.5", "&limit=2", "&limit=2&offset=2", "&format=csv")
    tags = {client.get(f"{VALUES}{query}").headers["etag"] for query in queries}

    assert len(tags) == 7


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("/places/nowhere/values?layer=NDVI", 404, "set"),
        ("/places/squares/values", 400, "layer"),
        ("/places/squares/values?layer=NDVX", 404, "layer"),
        ("/places/squares/values?layer=TRUE_COLOUR", 400, "layer"),
        ("/places/squares/values?layer=NDVI&reducer=best", 400, "reducer"),
        ("/places/squares/values?layer=NDVI&reducer=histogram:4", 400, "reducer"),
        ("/places/squares/values?layer=NDVI&reducers=mean", 400, "reducers"),
        ("/places/squares/values?layer=NDVI&weights=even", 400, "weights"),
        ("/places/squares/values?layer=NDVI&min_valid=2", 400, "min_valid"),
        ("/places/squares/values?layer=NDVI&datetime=soon", 400, "datetime"),
        ("/places/squares/values?layer=NDVI&limit=-1", 400, "limit"),
        ("/places/squares/values?layer=NDVI&format=geojson", 400, "format"),
        ("/places/squares/values?layer=NDVI&f=csv", 400, "f"),
    ],
)
def test_invalid_values_are_reported(client, path, status, parameter):
    response = client.get(path)

    assert (response.status_code, response.json()["parameter"]) == (status, parameter)


def test_too_many_values_are_refused_with_the_cheaper_way(limited):
    response = limited(max_series_values=11).get("/places/squares/values?layer=NDVI")

    document = response.json()
    assert response.status_code == 400
    assert (document["type"], document["limit"], document["allowed"]) == ("limit-exceeded", "max_series_values", 11)
    assert "page by page with limit" in document["alternative"]
    assert limited(max_series_values=11).get("/places/squares/values?layer=NDVI&limit=1").status_code == 200


def test_csv_follows_the_dialect_and_has_a_file_name(client):
    path = f"{VALUES}&format=csv&reducer=std"

    usual = list(csv.reader(io.StringIO(client.get(path).text)))
    written = client.get(f"{path}&dialect=semicolon&date=day")

    rows = [[name, time[:10], value.replace(".", ",")] for name, time, value in usual[1:]]
    assert list(csv.reader(io.StringIO(written.text), delimiter=";"))[1:] == rows
    assert any("." in value for _name, _time, value in usual[1:])
    assert written.headers["content-disposition"] == 'attachment; filename="squares-NDVI.csv"'
    assert client.get(path).headers["etag"] != written.headers["etag"]
