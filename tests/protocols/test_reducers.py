"""`reducer` and `expression` in the spellings of the protocols."""

import io
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from tests.protocols import served

TILE = "/tiles/NDVI/WebMercatorQuad/10/525/343"
JUNE = "datetime=2020-06-01/2020-06-30"
WMS = (
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:32631&BBOX=601000,5640000,604200,5643200"
    "&WIDTH=32&HEIGHT=32&FORMAT=image/png&TRANSPARENT=TRUE&TIME=2020-06-01/2020-06-30"
)
WMTS = (
    "/wmts?SERVICE=WMTS&VERSION=1.0.0&REQUEST=GetTile&LAYER=NDVI&STYLE=&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX=10"
    "&TILEROW=343&TILECOL=525&FORMAT=image/png&TIME=2020-06-01/2020-06-30"
)


REST = "/wmts/1.0.0/NDVI/default/{time}/WebMercatorQuad/10/343/525.png"


def rgba(response):
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGBA"))


def values(response):
    assert response.status_code == 200, response.text
    return np.load(io.BytesIO(response.content))


def test_a_tile_is_reduced(client):
    each = [values(client.get(f"{TILE}.npy?datetime=2020-06-{day}")) for day in ("01", "11", "21")]

    result = values(client.get(f"{TILE}.npy?{JUNE}&reducer=mean"))

    np.testing.assert_allclose(result, np.mean(each, axis=0), rtol=1e-6)


def test_instants_of_a_reduced_tile_are_reported(client):
    response = client.get(f"{TILE}.png?{JUNE}&reducer=max")

    days = [instant[:10] for instant in response.headers["chronotile-time"].split(",")]
    assert days == ["2020-06-21", "2020-06-11", "2020-06-01"]


def test_a_tile_of_an_expression(client):
    plain = values(client.get(f"{TILE}.npy?datetime=2020-06-11"))

    result = values(client.get(f"{TILE}.npy", params={"datetime": "2020-06-11", "expression": "NDVI + UNDATED / 2"}))

    np.testing.assert_array_equal(result, plain * 1.5)


def test_matching_etag_of_an_expression_tile_is_not_modified(client):
    path = f"{TILE}.png?expression=NDVI*2&{JUNE}&reducer=max"
    etag = client.get(path).headers["etag"]

    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("extension", ["png", "npy"])
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("reducer=mode", "reducer"),
        ("reducer=MEAN", "reducer"),
        ("expression=NDVI.dtype", "expression"),
        ("expression=HEIGHT", "expression"),
        ("expression=__import__('os')", "expression"),
        ("expression=NDVI %2B", "expression"),
        ("expression=" + "NDVI-" * 250 + "1", "expression"),
    ],
)
def test_invalid_value_is_reported_with_the_parameter(client, extension, query, parameter):
    response = client.get(f"{TILE}.{extension}?{query}")

    assert response.status_code == 400
    assert response.json()["parameter"] == parameter


def test_the_tilejson_of_an_expression_names_tiles_that_answer(client):
    query = {"expression": "NDVI / (UNDATED + 1)", "reducer": "max", "range": "0,1", "datetime": "2020-06"}

    (template,) = client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json", params=query).json()["tiles"]

    asked = parse_qs(urlsplit(template).query)
    assert {name: asked[name] for name in query} == {name: [value] for name, value in query.items()}
    response = client.get(template.format(z=10, x=525, y=343))
    assert "immutable" in response.headers["cache-control"]
    assert rgba(response)[..., 3].any()


def test_revision_of_an_expression_differs_from_that_of_the_layer(client):
    def revision(query):
        (template,) = client.get(f"/tiles/NDVI/WebMercatorQuad/tilejson.json?{query}").json()["tiles"]
        return parse_qs(urlsplit(template).query)["rev"]

    assert len({revision(query)[0] for query in ("", "expression=NDVI", "expression=NDVI*2")}) == 3


@pytest.mark.parametrize("query", ["expression=NDVI-", "reducer=mode"])
def test_tilejson_with_invalid_values_is_refused(client, query):
    assert client.get(f"/tiles/NDVI/WebMercatorQuad/tilejson.json?{query}").status_code == 400


def test_a_plus_that_the_url_took_away_is_hinted_at(client):
    response = client.get(f"{TILE}.png?expression=NDVI+UNDATED")

    assert "in a URL a + is written %2B" in response.json()["detail"]


@pytest.mark.parametrize("path", [WMS, WMTS])
def test_wms_and_wmts_take_a_reducer(client, path):
    latest, highest = rgba(client.get(path)), rgba(client.get(f"{path}&reducer=max"))

    assert (highest[..., 0] >= latest[..., 0]).all()
    assert (highest[..., 0] > latest[..., 0]).any()


@pytest.mark.parametrize(("path", "status"), [(WMS, 200), (WMTS, 400)])
def test_wms_and_wmts_refuse_an_unknown_reducer(client, path, status):
    response = client.get(f"{path}&REDUCER=mode")

    assert response.status_code == status
    assert "latest, earliest, max, min, mean, median" in response.text


def test_wms_map_is_reduced_by_the_formula(client):
    picture = rgba(client.get(f"{WMS}&REDUCER=median"))

    rows, columns = np.mgrid[68:100, 10:42]
    middle = np.median([served.number_at(rows, columns, time) for time in (1, 2, 3)], axis=0)
    assert np.abs(picture[..., 0] - middle).max() <= 1


def test_a_tile_of_a_difference(client):
    later, base = (values(client.get(f"{TILE}.npy?datetime=2020-{day}")) for day in ("06-11", "05-21"))

    change = values(client.get(f"{TILE}.npy?datetime=2020-06-11&difference=2020-05-21"))

    np.testing.assert_array_equal(change, later - base)


def test_the_tilejson_of_a_difference_names_tiles_that_answer(client):
    query = {"datetime": "2020-06-11", "difference": "2020-05-21"}

    (template,) = client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json", params=query).json()["tiles"]

    assert parse_qs(urlsplit(template).query)["difference"] == ["2020-05-21"]
    assert rgba(client.get(template.format(z=10, x=525, y=343)))[..., 3].any()


@pytest.mark.parametrize("path", [f"{TILE}.png", "/tiles/NDVI/WebMercatorQuad/tilejson.json"])
def test_a_difference_with_no_time_is_refused(client, path):
    response = client.get(f"{path}?difference=soon")

    assert (response.status_code, response.json()["parameter"]) == (400, "difference")


@pytest.mark.parametrize(
    "path",
    [
        f"{WMTS.replace('2020-06-01/2020-06-30', '2020-06-11')}&DIFFERENCE=",
        f"{REST.format(time='2020-06-11')}?difference=",
    ],
    ids=["pairs", "path"],
)
def test_a_tile_of_wmts_takes_a_difference(client, path):
    tile = client.get(f"{TILE}.png?datetime=2020-06-11&difference=2020-05-21")

    answer = client.get(f"{path}2020-05-21")

    np.testing.assert_array_equal(rgba(answer), rgba(tile))
    assert answer.headers["Chronotile-Time"] == "2020-06-11T00:00:00Z;difference=2020-05-21T00:00:00Z"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("difference=soon", 400),
        ("reducer=mode", 400),
        ("difference=2020-06-12", 404),
        ("difference=1&difference=2", 400),
    ],
)
def test_a_path_of_wmts_refuses_a_query_that_is_not_accepted(client, query, status):
    assert client.get(f"{REST.format(time='2020-06-11')}?{query}").status_code == status


def test_a_path_of_wmts_takes_a_reducer(client):
    highest = client.get(f"{REST.format(time='2020-06-01/2020-06-30')}?reducer=max")

    np.testing.assert_array_equal(rgba(highest), rgba(client.get(f"{WMTS}&REDUCER=max")))
