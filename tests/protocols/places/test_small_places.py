"""Places smaller than a cell have values by fractions of cells, or a warning; compared with the cells themselves."""

import json

import numpy as np
import pytest
from affine import Affine
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from tests.odd_archives.files import write_tif

WEST, NORTH, CELL, SIDE = 500_000, 5_650_000, 1000, 12
NUMBERS = np.random.default_rng(2).uniform(280, 300, (SIDE, SIDE)).astype("float32")
CONFIGURATION = """
collections:
  heat:
    source: {kind: cog, href: "LST_*.tif", time_pattern: "_(?P<time>[0-9]{8})"}
    variables: {LST: {layer: LST}}
places:
  fields: {href: fields.geojson, id: id}
"""


def square(name, column, row, side):
    """Return a square with sides in cells; its north-west corner is at a column and row."""
    west, north = WEST + column * CELL, NORTH - row * CELL
    east, south = west + side * CELL, north - side * CELL
    ring = [[west, north], [west, south], [east, south], [east, north], [west, north]]
    return {"type": "Feature", "properties": {"id": name}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    place = Affine(CELL, 0, WEST, 0, -CELL, NORTH)
    write_tif(folder / "LST_20200601.tif", NUMBERS, crs="EPSG:32631", transform=place)
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    features = [square("inside", 3.1, 4.2, 0.2), square("across", 5.9, 7.1, 0.2), square("large", 1, 2, 8)]
    (folder / "fields.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    (folder / "chronotile.yaml").write_text(CONFIGURATION)
    archive = open_archive(folder / "chronotile.yaml", environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    with TestClient(application(archive.services)) as client:
        yield client


EXPECTED = [NUMBERS[4, 3], (NUMBERS[7, 5] + NUMBERS[7, 6]) / 2, NUMBERS[2:10, 1:9].mean()]


def features_of(client, query):
    answer = client.get(f"/ogcapi/collections/fields/items?value=LST&{query}")
    assert answer.status_code == 200, answer.text
    return [each["properties"]["LST"] for each in answer.json()["features"]], answer.headers


def matrix_of(client, query):
    answer = client.get(f"/places/fields/values?layer=LST&{query}")
    assert answer.status_code == 200, answer.text
    return [row[0] for row in answer.json()["values"]], answer.headers


@pytest.mark.parametrize("values_of", [features_of, matrix_of])
def test_small_place_without_centre_is_null_and_warned(client, values_of):
    values, headers = values_of(client, "")

    assert values[:2] == [None, None]
    assert "2 of 3 places hold no centre of a cell of LST" in headers["warning"]


def test_geojson_of_small_places_notes_missing_values(client):
    page, inside, large = (
        client.get(f"/ogcapi/collections/fields/items{path}?value=LST").json() for path in ("", "/inside", "/large")
    )

    assert page["note"].startswith("2 of 3 places hold no centre of a cell of LST")
    assert inside["note"].startswith("1 of 1 places hold no centre of a cell of LST")
    assert "note" not in large


@pytest.mark.parametrize("values_of", [features_of, matrix_of])
def test_automatic_weights_give_small_places_values(client, values_of):
    values, headers = values_of(client, "weights=auto")

    np.testing.assert_allclose(values, EXPECTED, rtol=1e-6)
    assert "warning" not in headers


def test_automatic_weights_of_series_count_as_features_do(client):
    body = {"type": "FeatureCollection", "features": [square("a", 3.1, 4.2, 0.2), square("b", 1, 2, 8)]}

    answer = client.post("/timeseries/LST/areas?weights=auto&crs=EPSG:32631&reducers=mean,count", json=body)

    found = [each["series"] for each in answer.json()["features"]]
    np.testing.assert_allclose([each["mean"][0] for each in found], [EXPECTED[0], EXPECTED[2]], rtol=1e-6)
    assert [each["count"] for each in found] == [[1], [64]]


def test_sum_of_series_has_the_digits_of_float64(client):
    body = {"type": "FeatureCollection", "features": [square("b", 1, 2, 8)]}

    answer = client.post("/timeseries/LST/areas?crs=EPSG:32631&reducers=sum", json=body)

    expected = NUMBERS[2:10, 1:9].astype("float64").sum()
    assert answer.json()["features"][0]["series"]["sum"][0] == pytest.approx(expected, rel=1e-12)
