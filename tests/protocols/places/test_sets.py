"""Lists of places over HTTP."""

import pytest
import shapely


def links_of(document):
    return {link["rel"]: link["href"] for link in document["links"]}


def test_every_set_is_listed(client):
    first, second = client.get("/places").json()["places"]

    assert {name: first[name] for name in ("id", "title", "count", "attribution", "fields")} == {
        "id": "squares",
        "title": "Squares",
        "count": 4,
        "attribution": "Made up",
        "fields": ["id", "label", "crop", "area_ha"],
    }
    assert first["bbox"] == [4.5, 10, 31, 50.9]
    assert second["id"] == "lambert"


def test_titles_are_in_the_requested_language(client):
    response = client.get("/places", headers={"Accept-Language": "nl"})

    assert response.json()["places"][0]["title"] == "Vierkanten"
    assert response.headers["content-language"] == "nl"


def test_the_links_of_a_set_answer(client):
    links = links_of(client.get("/places/squares").json())
    tile = links["tiles"].format(z=0, x=0, y=0)
    values = links["values"].partition("{")[0]

    answers = [client.get(url) for url in (links["self"], links["items"], tile, f"{values}?layer=NDVI")]

    assert [answer.status_code for answer in answers] == [200] * 4


def test_a_set_lists_its_places_with_their_numbers(client):
    document = client.get("/places/squares").json()

    assert document["places"][1] == {"number": 1, "id": "S1", "label": "Square 1", "crop": "wheat", "area_ha": 1.5}
    assert document["next"] is None


def test_pages_are_linked(client):
    first = client.get("/places/squares?limit=3").json()

    second = client.get(first["next"]).json()

    assert [place["id"] for place in first["places"] + second["places"]] == ["S0", "S1", "S2", "S3"]
    assert second["next"] is None


def test_geojson_holds_the_geometries(client, squares):
    response = client.get("/places/squares?format=geojson&limit=2&offset=1")

    document = response.json()
    assert response.headers["content-type"] == "application/geo+json"
    assert [feature["id"] for feature in document["features"]] == ["S1", "S2"]
    assert document["features"][0]["properties"] == {"id": "S1", "label": "Square 1", "crop": "wheat", "area_ha": 1.5}
    shape = shapely.geometry.shape(document["features"][0]["geometry"])
    assert shapely.equals(shape, squares.shapes[1])
    assert shape.exterior.is_ccw
    assert (document["numberMatched"], document["numberReturned"], len(document["links"])) == (4, 2, 1)


def test_geojson_is_in_longitude_and_latitude(client):
    document = client.get("/places/lambert?format=geojson").json()

    bounds = shapely.geometry.shape(document["features"][0]["geometry"]).bounds
    assert bounds == pytest.approx((4.37, 50.75, 4.66, 50.93), abs=0.02)


def test_a_document_that_the_client_holds_is_not_sent_again(client):
    etag = client.get("/places/squares").headers["etag"]

    assert client.get("/places/squares", headers={"If-None-Match": etag}).status_code == 304


def test_without_places_the_list_is_empty(make_client):
    assert make_client().get("/places").json() == {"places": []}


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/places/squarez", 404, "the nearest is squares"),
        ("/places/squares?format=shp", 400, "use json, geojson"),
        ("/places/squares?limit=0", 400, "limit must be from 1 to 10000"),
        ("/places/squares?limit=99999", 400, "limit must be from 1 to 10000"),
        ("/places/squares?offset=-1", 400, "offset must be at least 0"),
        ("/places/squares?limits=4", 400, "limits is not a parameter here; use limit"),
        ("/places?lang=fr", 400, "accepted are en, nl"),
    ],
)
def test_invalid_values_are_reported(client, path, status, words):
    response = client.get(path)

    assert response.status_code == status
    assert words in response.json()["detail"]


def test_the_landing_page_lists_the_sets(client):
    document = client.get("/?f=json").json()

    assert document["places"] == ["squares", "lambert"]
    assert links_of(document)["places"].endswith("/places")
    assert "squares, lambert" in client.get("/?f=html").text
