"""Series of a named area."""

import pytest

from chronotile.core.model.places import PlacesSpec
from chronotile.readers.places.place_files import read_places
from tests.places import feature, write_places
from tests.protocols import served

PATH = "/timeseries/NDVI/area"
QUERY = "datetime=2020-06-01/2020-06-30&reducers=mean,p90"


def test_a_place_has_the_series_of_its_geometry(client):
    geometry = client.get("/places/squares?format=geojson").json()["features"][1]["geometry"]
    expected = client.post(f"{PATH}?{QUERY}", json=geometry).json()

    found = client.get(f"{PATH}?place=squares/S1&{QUERY}").json()

    assert found["times"] == expected["times"]
    assert found["features"][0]["series"] == expected["features"][0]["series"]
    assert found["features"][0]["total"] == expected["features"][0]["total"] > 0


def test_place_has_its_id_and_name(client):
    (found,) = client.get(f"{PATH}?place=squares/S1").json()["features"]

    assert found["id"] == "S1"
    assert found["properties"] == {"label": "Square 1", "crop": "wheat", "area_ha": 1.5}


def test_place_is_read_in_the_crs_of_its_file(client):
    """The layer covers all 400 square kilometres, in cells of a hectare."""
    (found,) = client.get(f"{PATH}?place=lambert/S0&datetime=2020-06-11").json()["features"]

    assert found["total"] == pytest.approx(40_000, rel=0.5)


@pytest.mark.parametrize(("name", "extension"), [("csv", "csv"), ("parquet", "parquet")])
def test_file_is_named_by_the_layer_and_the_place(client, name, extension):
    answer = client.get(f"{PATH}?place=squares/S1&{QUERY}&format={name}")

    assert answer.headers["content-disposition"] == f'attachment; filename="NDVI-squares-S1.{extension}"'


def test_file_name_has_only_safe_characters_of_the_id(make_client, tmp_path):
    path = write_places(tmp_path / "odd.geojson", feature(0, code='Liège "1"/a;\\b'))
    spec = PlacesSpec(id="odd", title={"": "Odd"}, path=str(path), id_field="code", max_features=9, max_vertices=99)
    client = make_client(served.make_services(*served.varied_collections(), places=[read_places(spec)]))

    answer = client.get(PATH, params={"place": 'odd/Liège "1"/a;\\b', "datetime": "2020-06-11", "format": "csv"})

    assert answer.headers["content-disposition"] == 'attachment; filename="NDVI-odd-Li-ge-1-a-b.csv"'


def test_post_without_a_body_is_the_same(client):
    address = f"{PATH}?place=squares/S1&{QUERY}"

    assert client.post(address).json() == client.get(address).json()


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("place=squares/S9", 404, "place 'S9' is not known in squares; the nearest are"),
        ("place=square/S1", 404, "set of places 'square' is not known; the nearest is squares"),
        ("place=squares/S3", 400, "lies outside layer NDVI"),
        ("place=squares/S1&crs=EPSG:3857", 400, "give either it or a body"),
        ("datetime=2020", 400, "give place=set/id or bbox=, or POST a geometry"),
    ],
)
def test_invalid_values_are_reported(client, query, status, words):
    response = client.get(f"{PATH}?{query}")

    assert response.status_code == status
    assert words in response.json()["detail"]


def test_a_place_and_a_body_are_one_too_many(client):
    response = client.post(f"{PATH}?place=squares/S1", json={"type": "Point", "coordinates": [4, 51]})

    assert (response.status_code, response.json()["parameter"]) == (400, "place")
