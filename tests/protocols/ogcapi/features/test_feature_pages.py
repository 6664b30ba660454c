"""Pages of features: selection of places, CRS of coordinates, and links to the next page."""

import io
from dataclasses import replace
from urllib.parse import quote

import geopandas
import numpy as np
import pyproj
import pytest
import shapely
from shapely.geometry import shape

from tests.places import make_places, square
from tests.protocols import served
from tests.protocols.ogcapi.features.conftest import COUNT, CROPS, make_all, make_fields

checklist = pytest.mark.checklist

ITEMS = "/ogcapi/collections/fields/items"
ISLANDS = "/ogcapi/collections/islands/items"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0"


def get(client, query="", path=ITEMS, **more):
    answer = client.get(f"{path}?{query}", **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(document):
    return [each["id"] for each in document["features"]]


def following(document):
    return next((each["href"] for each in document["links"] if each["rel"] == "next"), None)


def names(numbers):
    return [f"S{number}" for number in numbers]


@checklist("features", "/conf/core/fc-op", "/conf/core/fc-response", "/conf/core/fc-links")
@checklist(
    "features", "/conf/core/fc-numberMatched", "/conf/core/fc-numberReturned", "/conf/core/crs84", "/conf/core/http"
)
@checklist("features", "/conf/geojson/definition", "/conf/geojson/content", "/conf/crs/crs-parameter-default")
def test_a_page_has_the_places_of_the_file_in_degrees(features):
    answer = features.get(ITEMS)

    assert answer.headers["content-type"] == "application/geo+json"
    assert answer.headers["content-crs"] == f"<{CRS84}>"
    page = answer.json()
    assert (page["numberMatched"], page["numberReturned"], len(page["features"])) == (COUNT, COUNT, COUNT)
    assert features.get(ITEMS).content == answer.content
    rels = {(each["rel"], each["type"]) for each in page["links"]}
    assert {("self", "application/geo+json"), ("alternate", "text/html"), ("collection", "application/json")} <= rels
    assert following(page) is None
    for number, each in enumerate(page["features"]):
        assert (each["type"], each["id"]) == ("Feature", f"S{number}")
        assert each["properties"]["crop"] == CROPS[number % 3]
        assert shape(each["geometry"]).symmetric_difference(square(number)).area < 1e-7
        assert shape(each["geometry"]).exterior.is_ccw


@checklist("features", "/conf/core/f-op", "/conf/core/f-success", "/conf/core/f-links")
def test_feature_equals_that_of_the_page_with_links(features):
    one = features.get(f"{ITEMS}/S7?value=NDVI&datetime=2020-06-01").json()

    rels = {each["rel"]: each["href"].removeprefix("http://testserver") for each in one.pop("links")}
    assert one == next(
        each for each in get(features, "value=NDVI&datetime=2020-06-01")["features"] if each["id"] == "S7"
    )
    assert set(rels) == {"self", "alternate", "collection"}
    assert features.get(rels["self"]).json()["properties"] == one["properties"]
    missing = features.get(f"{ITEMS}/S99")
    assert (missing.status_code, missing.json()["parameter"]) == (404, "featureId")


def test_an_id_may_have_any_letters(make_client):
    fields = make_fields(3)
    odd = replace(fields, ids=("a/b c", "é?#", "x'+y"))
    services = make_all()
    services.catalogue.places["fields"] = odd
    client = make_client(services)

    for each in get(client)["features"]:
        link = next(
            link["href"]
            for link in client.get(f"{ITEMS}/{quote(each['id'], safe='')}").json()["links"]
            if link["rel"] == "self"
        )
        assert client.get(link).json()["id"] == each["id"]


@checklist("features", "/conf/core/fc-limit-response", "/conf/core/fc-numberMatched")
@pytest.mark.parametrize(
    "query", ["limit=7", "limit=4&crop=maize", "limit=1&value=NDVI&datetime=2020-06-01&bbox=4.5,50,4.9,51"]
)
def test_pages_lead_to_the_last_and_have_each_place_once(features, query):
    whole = get(features, query.replace("limit", "lang=en&limit").replace("limit=", "limit=1000"))
    pages = [get(features, query)]
    while (address := following(pages[-1])) is not None:
        pages.append(features.get(address).json())

    assert [each for page in pages for each in page["features"]] == whole["features"]
    assert {page["numberMatched"] for page in pages} == {whole["numberMatched"]}
    assert all(page["numberReturned"] == len(page["features"]) for page in pages)


@pytest.mark.slow
@checklist("features", "/conf/core/fc-limit-response")
def test_more_than_the_maximum_is_the_maximum(make_client):
    client = make_client(make_all(10_001))

    assert (get(client, "limit=99999")["numberReturned"], get(client)["numberReturned"]) == (10_000, 1000)
    file = client.get(f"{ITEMS}?limit=99999&f=fgb").content
    assert len(geopandas.read_file(io.BytesIO(file))) == 10_001


def test_a_cursor_ends_when_the_places_are_replaced(make_client):
    services = make_all()
    client = make_client(services)
    address = following(get(client, "limit=2"))

    services.catalogue.places["fields"] = replace(make_fields(), digest="another")
    gone = client.get(address)

    assert (gone.status_code, gone.json()["parameter"]) == (410, "cursor")
    assert "first page again" in gone.json()["detail"]


BOXES = {
    "bbox=4.72,50.7,4.88,51": names(range(2, 4)),
    "bbox=4.72,50.7,-9,4.88,51,9": names(range(2, 4)),
    "bbox=4.5,50.8,4.5,50.8": ["S0"],
    "bbox=10,50,11,51": [],
    f"bbox=50.7,4.72,51,4.88&bbox-crs={EPSG}/4326": names(range(2, 4)),
    "bbox=50.7,4.72,51,4.88&bbox-crs=[EPSG:4326]": names(range(2, 4)),
}


@checklist("features", "/conf/core/fc-bbox-response", "/conf/crs/bbox-crs-parameter")
@checklist("features", "/conf/crs/bbox-crs-parameter-default")
@pytest.mark.parametrize("query", BOXES)
def test_box_selects_the_features_it_intersects(features, query):
    assert ids(get(features, query)) == BOXES[query]


def test_box_in_metres_is_north_first_if_its_crs_is(features):
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True).transform([4.72, 4.78], [50.84, 50.86])

    assert ids(get(features, f"bbox={y[0]},{x[0]},{y[1]},{x[1]}&bbox-crs={EPSG}/3035")) == ["S2"]


@checklist("features", "/conf/core/fc-bbox-response")
def test_a_box_across_the_antimeridian(features):
    assert ids(get(features, "bbox=179,-18,-179,-13", ISLANDS)) == ["S0", "S1", "S2"]
    assert ids(get(features, "bbox=179.95,-18,-179.5,-13", ISLANDS)) == ["S1", "S2"]
    assert ids(get(features, "bbox=-180,-90,180,-85", ISLANDS)) == []


@checklist("features", "/conf/crs/crs-parameter", "/conf/crs/crs-parameter-transform")
@pytest.mark.parametrize("code", [4326, 3035, 3857, 32631])
def test_coordinates_are_in_the_axis_order_of_the_crs(features, code):
    turn = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{code}").transform  # in the order of the authority

    answer = features.get(f"{ITEMS}?crs={EPSG}/{code}&limit=3")
    assert answer.headers["content-crs"] == f"<{EPSG}/{code}>"
    for number, each in enumerate(answer.json()["features"]):
        expected = shapely.transform(square(number), lambda degrees: np.column_stack(turn(*degrees.T)))
        assert shapely.hausdorff_distance(shape(each["geometry"]), expected) < (1e-6 if code == 4326 else 0.01)
        assert features.get(f"{ITEMS}/S{number}?crs=[EPSG:{code}]").json()["geometry"] == each["geometry"]


def test_features_without_coordinates_in_crs_have_warning(make_client):
    near, far = square(0), shapely.box(92.9, -0.1, 93.1, 0.1)  # 90 degrees from the meridian of EPSG:32631
    places = replace(make_places(2), shapes=np.array([near, far]))
    features = make_client(served.make_services(*served.tree_collections(), places=[places]))

    answer = features.get(f"/ogcapi/collections/squares/items?crs={EPSG}/32631")

    assert [feature["geometry"] is None for feature in answer.json()["features"]] == [False, True]
    assert answer.headers["warning"] == '299 - "1 of 2 features have no coordinates in EPSG:32631"'


@checklist("features", "/conf/core/fc-time-response")
@pytest.mark.parametrize("when", ["2020-06-01", "2020-06-01T00:00:00Z/..", "../2019-01-01", "2020-05-01T00:00:00Z/P1D"])
def test_places_without_time_match_any_time(features, when):
    assert len(ids(get(features, f"datetime={when}"))) == COUNT


@checklist("features", "/conf/queryables-query-parameters/query-param")
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("crop=maize", range(0, COUNT, 3)),
        ("crop=maize&organic=true", range(0, COUNT, 6)),
        ("area_ha=4.5", [3]),
        ("parcels=5&id=S5", [5]),
        ("label=Field%207", [7]),
        ("crop=none", []),
    ],
)
def test_parameters_select_by_the_value_of_a_property(features, query, numbers):
    page = get(features, query)

    assert (ids(page), page["numberMatched"]) == (names(numbers), len(numbers))


def test_names_that_differ_by_case_are_distinguished_only_by_filters(make_client):
    plain = make_places(2)
    places = replace(plain, fields={"Text": ("12", "a"), "TEXT": (7, 12), "crop": ("a", "b")})
    client = make_client(served.make_services(*served.tree_collections(), places=[places]))
    address = "/ogcapi/collections/squares/items"

    assert client.get(f"{address}?Text=12").json()["parameter"] == "Text"
    assert ids(client.get(f"{address}?filter=Text = '12'").json()) == ["S0"]
    assert ids(client.get(f"{address}?crop=b").json()) == ["S1"]


@checklist(
    "features",
    "/conf/filter/filter-lang-default",
    "/conf/filter/expression-construction",
    "/conf/filter/filter-crs-wgs84",
    "/conf/filter/filter-param",
    "/conf/filter/filter-crs-param",
)
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("filter=area_ha > 6 AND crop = 'maize'", [6, 9, 12, 15, 18, 21, 24]),
        ("filter=crop IS NULL&bbox=4.5,50,4.99,51", [2]),
        ("filter=S_INTERSECTS(geometry, POINT(4.75 50.85))", [2]),
        ("filter=S_INTERSECTS(geometry, BBOX(4.5, 50.8, 7, 50.9))", range(COUNT)),
        (f"filter=S_INTERSECTS(geometry, POINT(50.85 4.75))&filter-crs={EPSG}/4326", [2]),
        ('filter-lang=cql2-json&filter={"op":"in","args":[{"property":"parcels"},[1,2,99]]}', [1, 2]),
    ],
)
def test_filters_select(features, query, numbers):
    assert ids(get(features, query)) == names(numbers)


REFUSED = {
    "unknown=1": "unknown",
    "offset=3": "offset",
    "bbox=1,2,3": "bbox",
    "bbox=1,2,3,x": "bbox",
    "bbox=4,52,5,51": "bbox",
    "bbox=4,50,5,95": "bbox",
    f"bbox=1,2,3,4&bbox-crs={EPSG}/31370": "bbox-crs",
    f"crs={EPSG}/31370": "crs",
    "limit=0": "limit",
    "limit=ten": "limit",
    "datetime=yesterday": "datetime",
    "cursor=7": "cursor",
    "area_ha=much": "area_ha",
    "filter=crop >": "filter",
    "filter=height > 3": "filter",
    "filter=S_INTERSECTS(geometry, BBOX(1000000, 1000000, 2000000, 2000000))": "filter",
    "filter={}&filter-lang=cql2-json": "filter",
    "filter-lang=ecql&filter=a": "filter-lang",
    "value=UNKNOWN": "value",
    "value=TRUE_COLOUR": "value",
    "value=NDVI&reducer=histogram": "reducer",
    "value=NDVI&datetime=2020-06": "datetime",
    "f=shp": "f",
}


@checklist(
    "features", "/conf/core/query-param-unknown", "/conf/core/query-param-invalid", "/conf/oas30/exception-codes"
)
@checklist("features", "/conf/crs/bbox-crs-parameter-invalid", "/conf/crs/crs-parameter-invalid")
@checklist("features", "/conf/filter/expression-construction", "/conf/filter/filter-crs-wgs84")
@pytest.mark.parametrize("query", REFUSED)
def test_invalid_value_is_400_and_named(features, query):
    answer = features.get(f"{ITEMS}?{query}")

    assert answer.status_code == 400, answer.text
    assert (answer.headers["content-type"], answer.json()["parameter"]) == ("application/problem+json", REFUSED[query])


def test_unknown_resource_is_404_and_an_unacceptable_type_406(features):
    assert features.get("/ogcapi/collections/nothing/items").status_code == 404
    assert features.get(ITEMS, headers={"accept": "image/png"}).status_code == 406


@pytest.mark.slow
def test_the_places_of_a_set_as_geojson_are_all_up_to_a_limit(make_client):
    client = make_client(make_all(10_001))

    few, many = (client.get(f"/places/{name}?format=geojson") for name in ("islands", "fields"))
    assert few.json()["name"] == "islands"
    assert few.headers["content-disposition"] == 'inline; filename="islands.geojson"'
    assert not {"warning", "link"} & set(few.headers)
    assert client.get("/places/islands?format=geojson&offset=9").json()["features"] == []
    assert (many.json()["numberMatched"], many.json()["numberReturned"]) == (10_001, 10_000)
    assert "10000 of 10001 places" in many.headers["warning"]
    rest = client.get(many.json()["links"][0]["href"])
    assert [each["id"] for each in rest.json()["features"]] == ["S10000"]
    assert many.headers["link"].startswith(f"<{many.json()['links'][0]['href']}>")
    assert "warning" not in client.get("/places/fields?format=geojson&limit=2").headers
