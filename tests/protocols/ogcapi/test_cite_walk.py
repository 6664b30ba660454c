"""EDR queries that OGC's suite builds from the document of a collection alone."""

from urllib.parse import urlsplit

import pytest

checklist = pytest.mark.checklist

ACCEPT = {"accept": "application/json, application/javascript, text/javascript, text/json"}
COLLECTIONS = ("s2", "NDVI", "LAI", "kinds", "CROP", "FLAGGED", "flanders", "FAPAR", "world", "DMP")
"""Collections with values and times; the suite has no query for other collections."""
LENS = 1.0
"""Half the side of the suite's area in degrees, for every extent."""


@pytest.fixture
def walk(tree):
    """Return a function: `walk("NDVI")` reads the document of a collection like the suite."""
    return lambda name: Walk(tree, tree.get(f"/ogcapi/collections/{name}", headers=ACCEPT).json())


class Walk:
    """Parts of queries from a collection's document."""

    def __init__(self, client, document):
        self.client = client
        self.document = document
        west, south, east, north = document["extent"]["spatial"]["bbox"][0]
        self.x, self.y = west + (east - west) / 2, south + (north - south) / 2
        self.crs = next(name for name in document["crs"] if "www.opengis.net/def/crs/OGC/1.3/CRS84" in name)

    @property
    def common(self):
        first, *_others = self.document["parameter_names"]
        start, end = self.document["extent"]["temporal"]["interval"][0]
        return f"parameter-name={first}&datetime={start}/{end}"

    def variables(self, query):
        return self.document["data_queries"][query]["link"]["variables"]

    def ask(self, query, parameters):
        """Follow the link of a query with the parameters appended."""
        return self.client.get(f"{urlsplit(self.document['data_queries'][query]['link']['href']).path}?{parameters}")


@checklist("edr", "the query", "AT 37-49")
@pytest.mark.parametrize("name", COLLECTIONS)
def test_position_in_the_middle_is_answered(walk, name):
    found = walk(name)

    answer = found.ask("position", f"coords=POINT({found.x}+{found.y})&crs={found.crs}&f=CoverageJSON&{found.common}")

    assert "CoverageJSON" in found.variables("position")["output_formats"]
    assert answer.status_code == 200
    assert answer.json()["type"] == "Coverage"


@checklist("edr", "the query", "AT 53-65")
@pytest.mark.parametrize("name", COLLECTIONS)
def test_area_round_the_middle_is_answered_however_far_it_reaches(walk, name):
    found = walk(name)
    west, east, south, north = found.x - LENS, found.x + LENS, found.y - LENS, found.y + LENS
    ring = f"{west}+{south},{west}+{north},{east}+{north},{east}+{south},{west}+{south}"

    answer = found.ask("area", f"coords=POLYGON(({ring}))&crs={found.crs}&f=CoverageJSON&{found.common}")

    assert "CoverageJSON" in found.variables("area")["output_formats"]
    assert answer.status_code == 200
    assert answer.json()["type"] == "Coverage"


@checklist("edr", "AT 22", "AT 23")
def test_position_as_geojson_is_edr_geojson(walk, assert_valid):
    found = walk("NDVI")

    answer = found.ask("position", f"f=GeoJSON&crs=CRS84&coords=POINT({found.x}+{found.y})&{found.common}")

    assert "GeoJSON" in found.variables("position")["output_formats"]
    assert_valid(answer.json(), "edr", "edrFeatureCollectionGeoJSON")


@checklist("edr", "AT 20", "AT 21")
def test_locations_are_geojson(walk, assert_valid):
    found = walk("NDVI")

    answer = found.ask("locations", "f=GeoJSON")

    assert "GeoJSON" in found.variables("locations")["output_formats"]
    assert [feature["geometry"]["type"] for feature in answer.json()["features"]] == ["Point"] * 3
    assert_valid(answer.json(), "edr", "edrFeatureCollectionGeoJSON")
