"""`/layers` and `/layers/{layer}`, field by field (docs/reference/layers-and-series.md)."""

import numpy as np
import pytest
from affine import Affine

from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.collection import TimeRules
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Colour, Style, StyleClass
from chronotile.core.model.time.domain import NO_TIME
from tests.protocols import served

FIELDS = [
    *("id", "title", "collection", "variable", "units", "bbox", "attribution", "styles", "revision", "times", "links"),
]


@pytest.fixture
def layers(client):
    """The entries of the list by id."""
    return {entry["id"]: entry for entry in client.get("/layers").json()["layers"]}


def test_list_has_every_layer_and_every_advertised_alias(layers):
    assert list(layers) == ["NDVI", "S2_NDVI", "TIMED", "RECENT", "UNDATED", "FUTURE", "TRUE_COLOUR", "HEIGHT", "GONE"]
    assert all(list(entry) == FIELDS for entry in layers.values())


def test_list_has_the_collections_of_its_layers(client):
    assert client.get("/layers").json()["collections"][0] == {"id": "s2", "title": "Collection s2"}


def test_layer_has_the_fields_of_the_contract(layers):
    entry = layers["NDVI"]

    assert {name: entry[name] for name in FIELDS[:5]} == {
        "id": "NDVI",
        "title": "NDVI",
        "collection": "s2",
        "variable": "NDVI",
        "units": "1",
    }
    assert [round(edge, 1) for edge in entry["bbox"]] == [4.4, 50.7, 5.0, 51.0]
    assert entry["attribution"] == "Copernicus & co"
    assert entry["styles"] == [{"id": "steps", "title": "Number as grey"}, {"id": "reds", "title": "Number as red"}]
    assert entry["times"] == {
        "first": "2020-05-21T00:00:00Z",
        "last": "2020-06-21T00:00:00Z",
        "count": 4,
        "default": "2020-06-21T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("name", "default"),
    [("TIMED", "2020-06-30T10:50:31.024Z"), ("UNDATED", None), ("FUTURE", "2020-06-21T00:00:00Z"), ("HEIGHT", None)],
)
def test_default_is_the_time_shown_without_a_request(layers, name, default):
    assert layers[name]["times"]["default"] == default


def test_layer_without_time_has_no_first_and_last(layers):
    assert layers["HEIGHT"]["times"] == {"first": None, "last": None, "count": 0, "default": None}


def test_composite_has_no_units_and_no_series(layers):
    entry = layers["TRUE_COLOUR"]

    assert (entry["variable"], entry["units"]) == (None, None)
    assert not {"series", "cubes", "zarr"} & {link["rel"] for link in entry["links"]}


def test_a_layer_links_to_its_store(client, layers):
    (href,) = (link["href"] for link in layers["S2_NDVI"]["links"] if link["rel"] == "zarr")

    assert href == "http://testserver/zarr/S2_NDVI"
    assert client.get(href).json()["attributes"]["layer"] == "NDVI"


@pytest.mark.parametrize("rel", ["self", "times", "tilejson", "legend"])
@pytest.mark.parametrize("name", ["NDVI", "S2_NDVI", "TRUE_COLOUR", "HEIGHT"])
def test_links_lead_to_answers(client, layers, name, rel):
    links = [link["href"] for link in layers[name]["links"] if link["rel"] == rel]

    assert links
    assert {client.get(href).status_code for href in links} == {200}


def test_links_name_services_series_and_viewer(layers):
    links = {link["rel"]: link["href"] for link in layers["NDVI"]["links"]}

    assert links["wms"] == "http://testserver/wms?SERVICE=WMS&REQUEST=GetCapabilities"
    assert links["wmts"] == "http://testserver/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"
    assert links["series"] == "http://testserver/timeseries/NDVI/point{?lon,lat,datetime}"
    assert links["viewer"] == "http://testserver/viewer/?layer=NDVI"


def test_links_begin_with_the_public_url(make_client, make_services):
    client = make_client(make_services(service=ServiceInfo(url="https://maps.example/eo")))

    links = client.get("/layers").json()["layers"][0]["links"]

    assert all(link["href"].startswith("https://maps.example/eo/") for link in links)


def test_revision_is_the_one_that_makes_tiles_immutable(client, layers):
    revision = layers["NDVI"]["revision"]

    tile = client.get(f"/tiles/NDVI/WebMercatorQuad/11/1052/687.png?rev={revision}")

    assert "immutable" in tile.headers["cache-control"]


def test_layer_with_a_missing_source_is_still_listed(layers):
    assert layers["GONE"]["times"]["count"] == 4


def test_one_layer_has_all_fields_of_the_list_and_more(client, layers):
    whole = client.get("/layers/NDVI").json()

    assert whole["times"].pop("clear") is None, "the configuration has a default"
    same = [name for name in FIELDS if name != "styles"]
    assert {name: whole[name] for name in same} == {name: layers["NDVI"][name] for name in same}
    assert {name: whole[name] for name in whole if name not in FIELDS} == {
        "abstract": None,
        "collection_title": "Collection s2",
        "keywords": [],
        "license": None,
        "aliases": ["CGS_S2_NDVI", "S2_NDVI"],
        "variables": ["NDVI"],
        "crs": "EPSG:32631",
        "resolution": [100.0, 100.0],
        "size": [400, 300],
    }


def test_styles_of_one_layer_have_ranges_and_legends(client):
    style = client.get("/layers/NDVI").json()["styles"][1]

    legends = style.pop("legend")
    assert style == {"id": "reds", "title": "Number as red", "range": [0, 250]}
    assert list(legends) == ["png", "svg", "json"]
    assert {client.get(href).status_code for href in legends.values()} == {200}


def test_style_of_classes_has_no_range(make_client, make_services):
    classes = (StyleClass(1, Colour(1, 2, 3), "one"), StyleClass(2, Colour(4, 5, 6), "two"))
    style = Style(id="classes", title="Classes", range=(1, 2), classes=classes)
    client = make_client(make_services(served.make_collection(served.make_layer(styles=(style,)))))

    assert client.get("/layers/NDVI").json()["styles"][0]["range"] is None


def test_composite_names_its_variables(client):
    assert client.get("/layers/TRUE_COLOUR").json()["variables"] == ["RED", "GREEN", "BLUE"]


def test_resolution_of_a_turned_grid_is_along_its_sides(make_client, make_services):
    transform = Affine(8, 12, 500_000, 6, -16, 5_600_000)
    grid = NativeGrid(crs=crs_of("EPSG:32631"), transform=transform, width=50, height=50)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    client = make_client(make_services(served.make_collection(layer)))

    assert client.get("/layers/NDVI").json()["resolution"] == pytest.approx([10, 20])


@pytest.mark.parametrize(
    ("name", "told"), [("NDVI", "NDVI"), ("S2_NDVI", "S2_NDVI"), ("CGS_S2_NDVI", "NDVI")], ids=["id", "listed", "not"]
)
def test_alias_has_its_name_if_the_list_has_it(client, name, told):
    assert client.get(f"/layers/{name}").json()["id"] == told


def test_unknown_layer_is_404_with_the_nearest(client):
    answer = client.get("/layers/NDVJ")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "NDVI" in answer.json()["detail"]


@pytest.fixture
def in_three_languages(make_client, make_services):
    """A client of a layer with titles in some of the service's languages."""
    layer = served.make_layer(
        title={"en": "Vegetation", "nl": "Begroeiing"}, abstract={"": "any"}, time_rules=TimeRules()
    )
    collection = served.make_collection(layer, title={"nl": "Verzameling"})
    return make_client(make_services(collection, service=ServiceInfo(languages=("en", "nl", "fr"))))


@pytest.mark.parametrize(
    ("query", "header", "title", "language"),
    [
        ("", "", "Vegetation", "en"),
        ("", "nl-BE,nl;q=0.9,en;q=0.5", "Begroeiing", "nl"),
        ("", "de", "Vegetation", "en"),
        ("", "fr", "Vegetation", "fr"),
        ("lang=nl", "en", "Begroeiing", "nl"),
        ("lang=NL-be", "en", "Begroeiing", "nl"),
    ],
)
def test_titles_are_in_the_readers_language(in_three_languages, query, header, title, language):
    answer = in_three_languages.get(f"/layers?{query}", headers={"Accept-Language": header})

    assert answer.json()["layers"][0]["title"] == title
    assert answer.headers["content-language"] == language
    assert "Accept-Language" in answer.headers["vary"]


def test_missing_translation_falls_back(in_three_languages):
    whole = in_three_languages.get("/layers/NDVI?lang=fr").json()

    assert (whole["title"], whole["abstract"], whole["collection_title"]) == ("Vegetation", "any", "Verzameling")


def test_language_that_is_not_offered_is_refused(in_three_languages):
    answer = in_three_languages.get("/layers?lang=xx")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "lang")
    assert "en, nl, fr" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/layers", "/layers/NDVI", "/layers/NDVI/times?datetime=2019"])
def test_same_document_is_304(client, path):
    first = client.get(path)

    answer = client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["cache-control"] == first.headers["cache-control"]


def test_text_that_looks_like_html_stays_text(make_client, make_services):
    layer = served.make_layer(title={"": "<script>alert(1)</script>"})
    client = make_client(make_services(served.make_collection(layer)))

    answer = client.get("/layers")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["layers"][0]["title"] == "<script>alert(1)</script>"


def test_box_of_a_grid_over_the_antimeridian_goes_from_its_west_to_its_east(make_client, make_services):
    grid = NativeGrid(crs=crs_of("EPSG:32601"), transform=Affine(1000, 0, 0, 0, -1000, 1e6), width=600, height=100)
    variable = served.make_variable(grid=grid, times=NO_TIME)
    client = make_client(make_services(served.make_collection(served.make_layer(variable=variable))))

    west, _south, east, _north = client.get("/layers").json()["layers"][0]["bbox"]

    assert (round(west, 1), round(east, 1)) == (178.5, -176.1)


@pytest.mark.slow
def test_five_hundred_layers_of_many_times_are_all_listed(make_client, make_services):
    times = served.domain_of_instants(np.datetime64("2015-01-01", "ns") + np.arange(400) * np.timedelta64(10, "D"))
    names = [f"L{number}" for number in range(500)]
    layers = [served.make_layer(name, variable=served.make_variable(name, times=times)) for name in names]
    client = make_client(make_services(served.make_collection(*layers)))

    entries = client.get("/layers").json()["layers"]

    assert [entry["id"] for entry in entries] == names
    assert {entry["times"]["count"] for entry in entries} == {400}
