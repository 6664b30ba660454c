"""EDR members of collections: queries, parameters, formats and links."""

import dataclasses

import numpy as np
import pytest
from pyproj import CRS

from chronotile.core.model.time.domain import domain_of_periods
from chronotile.core.model.time.period_parser import parse_period
from tests.protocols import served

checklist = pytest.mark.checklist
QUERIES = ["position", "area", "cube", "radius", "locations", "items"]
COLLECTIONS = ["s2", "NDVI", "kinds", "HEIGHT", "CROP", "flanders", "world"]


@pytest.fixture
def described(tree):
    """Return a function: `described("s2")` returns the description of a collection."""
    return lambda name: tree.get(f"/ogcapi/collections/{name}").json()


@checklist("edr", "AT 15")
@pytest.mark.parametrize("name", COLLECTIONS)
def test_collections_are_as_the_schema_has_them(described, assert_valid, name):
    document = described(name)

    assert_valid(document, "edr", "collection")
    assert list(document["data_queries"]) == QUERIES
    assert [each["link"]["rel"] for each in document["data_queries"].values()] == ["data"] * len(QUERIES)
    assert document["data_queries"]["area"]["link"]["href"] == f"http://testserver/ogcapi/collections/{name}/area"


def test_collection_of_colours_alone_has_no_queries(described):
    document = described("TRUE_COLOUR")

    assert (document["data_queries"], document["parameter_names"], document["output_formats"]) == ({}, {}, [])


@checklist("edr", "the query")
@pytest.mark.parametrize("query", ["position", "area", "cube", "radius", "locations"])
def test_queries_list_their_formats_and_crs(described, query):
    document = described("s2")

    variables = document["data_queries"][query]["link"]["variables"]
    formats = ["CoverageJSON", "GeoJSON", "CSV", "NetCDF", "GeoTIFF"]
    assert (variables["query_type"], variables["default_output_format"]) == (query, "CoverageJSON")
    assert variables["output_formats"] == formats[: {"position": 4, "locations": 3}.get(query, 5)]
    assert set(variables["output_formats"]) <= set(document["output_formats"]) == set(formats)
    assert variables["crs_details"] == []


def test_every_listed_format_is_returned(tree, described):
    asked = {
        "position": "coords=POINT(4.8 50.8)",
        "area": "coords=POLYGON((4.8 50.8,4.81 50.8,4.81 50.81,4.8 50.8))",
        "cube": "bbox=4.8,50.8,4.81,50.81",
        "radius": "coords=POINT(4.8 50.8)&within=1&within-units=km",
    }
    queries = {name: described("s2")["data_queries"][name]["link"] for name in asked}

    statuses = {
        (name, f): tree.get(f"{link['href']}?{asked[name]}&f={f}").status_code
        for name, link in queries.items()
        for f in link["variables"]["output_formats"]
    }

    assert set(statuses.values()) == {200}
    assert len(statuses) == 19


ROTATED = served.crs_of("+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18")


@pytest.fixture
def rotated_client(make_client):
    grid = served.NativeGrid(crs=ROTATED, transform=served.Affine(0.1, 0, -5, 0, -0.1, 5), width=100, height=100)
    layer = served.make_layer("ROTATED", variable=served.make_variable("ROTATED", grid=grid))
    return make_client(served.make_services(served.make_collection(layer)))


def test_geotiff_is_not_offered_for_a_crs_that_it_cannot_express(rotated_client):
    document = rotated_client.get("/ogcapi/collections/ROTATED").json()
    page = rotated_client.get("/ogcapi/collections/ROTATED?f=html").text

    queries = [query["link"]["variables"] for query in document["data_queries"].values()]
    assert document["output_formats"] == ["CoverageJSON", "GeoJSON", "CSV", "NetCDF"]
    assert not any("GeoTIFF" in query.get("output_formats", ()) for query in queries)
    assert "f=GTiff" not in page
    assert "f=NetCDF" in page


def test_crs_without_a_code_is_written_as_well_known_text(rotated_client):
    client = rotated_client

    details = client.get("/ogcapi/collections/ROTATED").json()["data_queries"]["area"]["link"]["variables"][
        "crs_details"
    ]

    (told,) = details
    assert CRS.from_wkt(told["wkt"]).to_wkt() == ROTATED.definition.to_wkt()
    assert (
        client.get("/ogcapi/collections/ROTATED/cube", params={"bbox": "0,0,1,1", "crs": told["crs"]}).status_code
        == 200
    )


def test_units_of_lengths_are_listed(described):
    variables = described("s2")["data_queries"]["radius"]["link"]["variables"]

    assert variables["within_units"] == ["m", "km", "mi", "nmi", "ft"]


@checklist("edr", "AT 17")
def test_parameters_are_listed_by_name(described):
    parameters = described("s2")["parameter_names"]

    assert list(parameters) == ["NDVI", "LAI"]
    assert parameters["LAI"] == {
        "type": "Parameter",
        "id": "LAI",
        "label": "LAI",
        "dataType": "float",
        "unit": {"label": "m2 m-2", "symbol": {"value": "m2 m-2", "type": "http://www.opengis.net/def/uom/UCUM/"}},
        "observedProperty": {"id": "LAI", "label": "LAI"},
        "measurementType": {"method": "observation", "duration": "P1D"},
    }


def test_categories_replace_units(described):
    crop = described("CROP")["parameter_names"]["CROP"]

    assert (crop["dataType"], crop["categoryEncoding"]["#7"]) == ("integer", 7)
    assert crop["observedProperty"]["categories"][7] == {"id": "#7", "label": "crop 7"}
    assert "unit" not in crop


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (served.days_of("2020-06-20T10:50:31", "2020-06-25T10:50:29"), {"method": "instantaneous"}),
        (served.days_of("2020-06-20"), {"method": "observation", "duration": "P1D"}),
        (domain_of_periods(np.datetime64("2020-01-01", "ns"), parse_period("dekad"), 9), {"method": "observation"}),
        (
            domain_of_periods(np.datetime64("2020-01-01", "ns"), parse_period("PT6H"), 9),
            {"method": "observation", "duration": "PT6H"},
        ),
        (served.NO_TIME, {"method": "instantaneous"}),
    ],
    ids=["instants", "days", "dekads", "hours", "no time"],
)
def test_periods_are_marked_as_such(make_client, times, expected):
    layer = served.make_layer("NDVI", variable=served.make_variable(times=times))
    client = make_client(served.make_services(served.make_collection(layer)))

    told = client.get("/ogcapi/collections/NDVI").json()["parameter_names"]["NDVI"]

    assert told["measurementType"] == expected


def test_parameters_have_labels_in_the_requested_language_and_cf_names(make_client):
    variable = dataclasses.replace(served.make_variable("LAI"), standard_name="leaf_area_index")
    layer = served.make_layer(
        "LAI",
        variable=variable,
        title={"en": "Leaf area", "nl": "Bladoppervlak"},
        abstract={"en": "Of leaves", "nl": "Van bladeren"},
    )
    service = served.ServiceInfo(languages=("en", "nl"))
    client = make_client(served.make_services(served.make_collection(layer), service=service))

    told = client.get("/ogcapi/collections/LAI?lang=nl").json()["parameter_names"]["LAI"]

    assert (told["label"], told["description"]) == ("Bladoppervlak", "Van bladeren")
    assert told["observedProperty"]["id"] == "http://vocab.nerc.ac.uk/standard_name/leaf_area_index/"


@checklist("edr", "AT 16")
def test_collections_link_to_their_queries(tree, described):
    links = described("s2")["links"]

    data = [link for link in links if link["rel"] == "data" and "/s2/" in link["href"]]
    assert {"self", "alternate"} <= {link["rel"] for link in links}
    assert [link["href"].partition("{")[0].rpartition("/")[2] for link in data] == QUERIES[:-1]
    assert [link.get("templated", False) for link in data] == [True, True, True, True, False]
    assert [tree.get(link["href"]).status_code for link in links if link["rel"] == "items"] == [200]
    assert data[0]["href"].endswith("/position{?coords,datetime,parameter-name,crs,z,f,dialect,date}")


@checklist("edr", "AT 6/7", "AT 18-23")
def test_classes_of_both_versions_are_declared(tree):
    classes = tree.get("/ogcapi/conformance").json()["conformsTo"]

    names = ["core", "collections", "queries", "json", "geojson", "edr-geojson", "covjson", "oas30"]
    declared = [each for each in classes if "ogcapi-edr-1" in each and "/conf/" in each]
    assert declared == [
        f"http://www.opengis.net/spec/ogcapi-edr-1/{version}/conf/{name}"
        for version in ("1.0", "1.1")
        for name in names
    ]
