"""`/locations`: places of the configuration, and the means of their cells."""

import csv
import dataclasses
import io

import numpy as np
import pytest
import shapely

from chronotile.core.model.space.crs import CRS84, transformer
from tests.places import make_places, square
from tests.protocols import served

GRID = served.BELGIUM_31N
LOCATIONS = "/ogcapi/collections/NDVI/locations"


def mean_of(number: int) -> list[float]:
    """NDVI in the square of that number, by the formula."""
    rows, columns = np.mgrid[0 : GRID.height, 0 : GRID.width]
    degrees = transformer(GRID.crs, CRS84).transform(*GRID.points_at(columns + 0.5, rows + 0.5))
    inside = shapely.contains_xy(square(number), *degrees)
    return [
        float((served.number_at(rows, columns, time)[inside].astype(float) * 0.004 - 0.08).mean()) for time in range(4)
    ]


def test_places_are_features_of_edr_with_a_point_inside(ask, assert_valid):
    document = ask("s2/locations").json()

    assert_valid(document, "edr", "edrFeatureCollectionGeoJSON")
    assert [each["id"] for each in document["features"]] == ["squares:S0", "squares:S1", "squares:S2"]
    inside = [shapely.Point(each["geometry"]["coordinates"]) for each in document["features"]]
    assert [square(number).contains(each) for number, each in enumerate(inside)] == [True] * 3
    assert document["features"][1]["bbox"] == pytest.approx(square(1).bounds)
    assert document["features"][1]["properties"] == {
        "datetime": "2020-05-21T00:00:00Z/2020-07-01T00:00:00Z",
        "parameter-name": ["NDVI", "LAI"],
        "label": "S1",
        "edrqueryendpoint": "http://testserver/ogcapi/collections/s2/locations/squares:S1",
    }


def test_pages_are_linked(tree):
    first = tree.get(f"{LOCATIONS}?limit=1&parameter-name=NDVI").json()
    second = tree.get(next_of(first)).json()
    third = tree.get(next_of(second)).json()

    pages = [first, second, third]
    assert [feature["id"] for page in pages for feature in page["features"]] == [
        "squares:S0",
        "squares:S1",
        "squares:S2",
    ]
    assert [(page["numberMatched"], page["numberReturned"]) for page in pages] == [(3, 1)] * 3
    assert next_of(third) is None


def next_of(page):
    return next((link["href"] for link in page["links"] if link["rel"] == "next"), None)


def test_pages_go_on_from_set_to_set(make_client):
    first = make_places()
    second = dataclasses.replace(first, spec=dataclasses.replace(first.spec, id="others"))
    client = make_client(served.make_services(*served.tree_collections(), places=[first, second]))

    page = client.get(f"{LOCATIONS}?limit=3&offset=2").json()

    assert [each["id"] for each in page["features"]] == ["squares:S2", "others:S0", "others:S1"]
    assert page["numberMatched"] == 6


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"bbox": "4.61,50.8,4.69,50.81"}, ["squares:S1"]),
        ({"bbox": "4.61,50.8,0,4.69,50.81,9"}, ["squares:S1"]),
        ({"bbox": "170,50,4.55,51"}, ["squares:S0"]),
        ({"bbox": "10,50,11,51"}, []),
        ({"datetime": "1999"}, []),
        ({"datetime": "2020-06-05/.."}, ["squares:S0", "squares:S1", "squares:S2"]),
        ({"limit": "99999999"}, ["squares:S0", "squares:S1", "squares:S2"]),
    ],
)
def test_box_and_time_choose_places(ask, query, expected):
    document = ask("NDVI/locations", **query).json()

    assert [each["id"] for each in document["features"]] == expected
    assert (document["numberMatched"], document["numberReturned"]) == (len(expected), len(expected))


def test_places_outside_are_not_part_of_a_collection(make_client):
    far = served.NativeGrid(
        crs=GRID.crs, transform=GRID.transform @ served.Affine.translation(9000, 0), width=9, height=9
    )
    layer = served.make_layer("FAR", collection="far", variable=served.make_variable("FAR", grid=far))
    client = make_client(served.make_services(served.make_collection(layer), places=[make_places()]))

    assert client.get("/ogcapi/collections/FAR/locations").status_code == 404
    assert "locations" not in client.get("/ogcapi/collections/FAR").json()["data_queries"]


def test_without_places_there_are_no_locations(make_client):
    client = make_client(served.make_services(*served.tree_collections()))

    answers = [client.get(f"{LOCATIONS}{rest}") for rest in ("", "/squares:S0")]
    assert [(answer.status_code, answer.json()["parameter"]) for answer in answers] == [(404, "locationId")] * 2
    assert "locations" not in client.get("/ogcapi/collections/NDVI").json()["data_queries"]
    assert [path for path in client.get("/ogcapi/openapi").json()["paths"] if "locations" in path] == []


def test_a_location_is_a_polygon_series_of_means(ask, coverage_of):
    coverage = coverage_of(ask("NDVI/locations/squares:S1"))

    assert (coverage["type"], coverage["domain"]["domainType"]) == ("Coverage", "PolygonSeries")
    assert shapely.Polygon(coverage["domain"]["axes"]["composite"]["values"][0][0]).equals(square(1))
    assert coverage["parameters"]["NDVI"]["measurementType"] == {"method": "mean"}
    assert list(coverage["ranges"]) == ["NDVI"]
    assert coverage["ranges"]["NDVI"]["values"] == pytest.approx(mean_of(1))


def test_location_is_returned_in_crs(ask, coverage_of):
    coverage = coverage_of(ask("NDVI/locations/squares:S1", crs="EPSG:32631"))

    corners = np.array(coverage["domain"]["axes"]["composite"]["values"][0][0])
    assert coverage["domain"]["referencing"][0]["system"]["id"].endswith("32631")
    assert np.allclose(transformer(GRID.crs, CRS84).transform(*corners.T), np.array(square(1).exterior.coords)[::1].T)


def test_several_locations_and_parameters_are_a_collection(ask, coverage_of):
    document = coverage_of(ask("s2/locations/squares:S0,squares:S2", datetime="2020-06-01"))

    assert [each["id"] for each in document["coverages"]] == ["squares:S0", "squares:S2"]
    assert [list(each["ranges"]) for each in document["coverages"]] == [["NDVI", "LAI"]] * 2
    assert document["coverages"][1]["ranges"]["NDVI"]["values"] == pytest.approx(mean_of(2)[1:2])


def test_csv_of_locations_has_their_ids(ask):
    answer = ask("NDVI/locations/squares:S0,squares:S2", datetime="2020-06-01", f="CSV")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(rows[0]) == ["time", "location", "NDVI"]
    assert [(row["location"], float(row["NDVI"])) for row in rows] == [
        ("squares:S0", pytest.approx(mean_of(0)[1])),
        ("squares:S2", pytest.approx(mean_of(2)[1])),
    ]


def test_geojson_of_a_location_has_its_outline(ask, assert_valid):
    document = ask("NDVI/locations/squares:S1", f="GeoJSON").json()

    assert_valid(document, "edr", "edrFeatureCollectionGeoJSON")
    (feature,) = document["features"]
    assert shapely.geometry.shape(feature["geometry"]).equals(square(1))
    assert feature["properties"]["values"]["NDVI"] == pytest.approx(mean_of(1))


def test_a_location_that_the_client_holds_is_not_sent_again(ask):
    etag = ask("NDVI/locations/squares:S1").headers["etag"]

    assert ask("NDVI/locations/squares:S1", headers={"If-None-Match": etag}).status_code == 304
    assert ask("NDVI/locations/squares:S2", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("name", ["squares:S9", "others:S1", "S1", "squares:", "squares:S0,squares:S9", "a/b"])
def test_unknown_location_is_not_found(ask, name):
    answer = ask(f"NDVI/locations/{name}")

    assert (answer.status_code, answer.json()["parameter"]) == (404, "locationId")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"bbox": "1,2,3"}, "bbox"),
        ({"bbox": "4,95,5,96"}, "bbox"),
        ({"bbox": "4,51,5,50"}, "bbox"),
        ({"bbox_crs": "EPSG:4326"}, "bbox-crs"),
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"datetime": "x"}, "datetime"),
        ({"parameter_name": "FOO"}, "parameter-name"),
        ({"crs": "EPSG:9999"}, "crs"),
        ({"z": "x"}, "z"),
        ({"f": "CSV"}, "f"),
        ({"lang": "xx"}, "lang"),
    ],
)
@pytest.mark.parametrize("path", ["locations", "items"])
def test_invalid_value_is_named(ask, path, query, parameter):
    answer = ask(f"NDVI/{path}", **query)

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"datetime": "x"}, "datetime"),
        ({"parameter_name": "FOO"}, "parameter-name"),
        ({"crs": "EPSG:9999"}, "crs"),
        ({"f": "NetCDF"}, "f"),
    ],
)
def test_invalid_value_of_a_location_is_named(ask, query, parameter):
    answer = ask("NDVI/locations/squares:S1", **query)

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def test_too_many_values_are_refused(make_client):
    limits = served.Limits(max_series_values=6)
    client = make_client(served.make_services(*served.tree_collections(), places=[make_places()], limits=limits))

    answer = client.get("/ogcapi/collections/s2/locations/squares:S0")

    assert (answer.json()["limit"], answer.json()["asked"]) == ("max_series_values", 7)


@pytest.mark.parametrize("name", ["squares:S0", "squares:S2"])
def test_a_location_has_the_values_of_the_area_series_of_its_place(ask, tree, coverage_of, name):
    coverage = coverage_of(ask(f"NDVI/locations/{name}"))

    series = tree.get(f"/timeseries/NDVI/area?place={name.replace(':', '/')}").json()
    assert coverage["ranges"]["NDVI"]["values"] == series["features"][0]["series"]["mean"]
    assert coverage["domain"]["axes"]["t"]["values"] == series["times"]
