"""Capabilities are valid and true, and everything they advertise works."""

import io
import itertools
from urllib.parse import urlsplit

import numpy as np
import pytest
from affine import Affine
from lxml import etree
from PIL import Image
from pyproj import Transformer

from chronotile.catalog.limits import Limits
from chronotile.catalog.service_info import Contact, PostalAddress, ServiceInfo
from chronotile.core.model.collection import Alias, TimeRules
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Style
from tests.protocols import served

WMS = "{http://www.opengis.net/wms}"
HREF = "{http://www.w3.org/1999/xlink}href"
HOSTILE = "<script>&\"'\x00\x08]]>{{ 7 * 7 }} ü漢😀"


def document_of(client, version="1.3.0", path="/wms"):
    answer = client.get(path, params={"SERVICE": "WMS", "REQUEST": "GetCapabilities", "VERSION": version})
    assert (answer.status_code, "ETag" in answer.headers) == (200, True)
    return answer.content


def layer_named(document, name):
    """Return the Layer element with a name, in either version."""
    tree = etree.fromstring(document)
    return next(
        layer for layer in tree.iter("{*}Layer") if any(child.text == name for child in layer.findall("{*}Name"))
    )


def hostile_services():
    """Services with hostile text in every field."""
    style = Style(id="steps", title=HOSTILE, range=(0.0, 250.0), ramp=served.STEPS.ramp)
    layer = served.make_layer(
        title={"": HOSTILE},
        abstract={"": HOSTILE},
        keywords=(HOSTILE,),
        attribution=HOSTILE,
        styles=(style,),
        aliases=(Alias(name="other", advertise=True),),
    )
    collection = served.make_collection(
        layer, title={"": HOSTILE}, abstract={"": HOSTILE}, keywords=(HOSTILE,), attribution=HOSTILE
    )
    address = PostalAddress(street=HOSTILE, city=HOSTILE, region=HOSTILE, postcode=HOSTILE, country=HOSTILE)
    contact = Contact(name=HOSTILE, email=HOSTILE, telephone=HOSTILE, address=address)
    info = ServiceInfo(title={"": HOSTILE}, abstract={"": HOSTILE}, keywords=(HOSTILE,), contact=contact)
    return served.make_services(collection, service=info)


def world(crs="EPSG:4326"):
    """Return a global grid with cells of one degree."""
    return NativeGrid(crs=crs_of(crs), transform=Affine(1, 0, -180, 0, -1, 90), width=360, height=180)


def polar():
    """Return a grid around the south pole."""
    return NativeGrid(crs=crs_of("EPSG:3031"), transform=Affine(25e3, 0, -3e6, 0, -25e3, 3e6), width=240, height=240)


def services_on(grid, **options):
    return served.make_services(
        served.make_collection(served.make_layer(variable=served.make_variable(grid=grid))), **options
    )


@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_capabilities_are_valid(client, validate_ogc, version):
    assert validate_ogc(document_of(client, version)) == []


@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_hostile_texts_stay_texts(make_client, validate_ogc, version):
    document = document_of(make_client(hostile_services()), version)

    titles = {title.text for title in etree.fromstring(document).iter("{*}Title")}
    assert titles == {HOSTILE.replace("\x00", "").replace("\x08", "")}
    assert validate_ogc(document) == []


@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
@pytest.mark.parametrize("grid", [world(), polar()], ids=["world", "polar"])
def test_capabilities_of_wide_grids_are_valid(make_client, validate_ogc, version, grid):
    assert validate_ogc(document_of(make_client(services_on(grid)), version)) == []


@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_capabilities_without_collections_are_valid(make_client, validate_ogc, version):
    services = served.make_services(served.make_collection())
    empty = type(services)(
        catalogue=type(services.catalogue)(**{**vars(services.catalogue), "collections": ()}),
        readers={},
        clock=services.clock,
    )

    assert validate_ogc(document_of(make_client(empty), version)) == []


def test_document_of_130_is_text_xml_for_any_requested_format(client):
    answer = client.get("/wms?SERVICE=WMS&REQUEST=GetCapabilities&FORMAT=text/html")

    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"


def test_document_of_111_has_its_own_type(client):
    answer = client.get("/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.1.1")

    assert answer.headers["Content-Type"] == "application/vnd.ogc.wms_xml"


@pytest.mark.parametrize("path", ["/wms", "/wms/v2"])
def test_every_path_of_the_configuration_answers_under_its_own_address(make_client, path):
    client = make_client(served.make_services(service=ServiceInfo(wms_paths=("/wms", "/wms/v2"))))

    resources = etree.fromstring(document_of(client, path=path)).findall(f".//{WMS}DCPType//{WMS}OnlineResource")

    assert {resource.get(HREF) for resource in resources} == {f"http://testserver{path}?"}


def test_public_url_of_the_configuration_is_written(make_client):
    client = make_client(served.make_services(service=ServiceInfo(url="https://example.org/maps")))

    assert b'xlink:href="https://example.org/maps/wms?"' in document_of(client)


def test_layers_are_nested_by_collection(client):
    root = etree.fromstring(document_of(client)).find(f"{WMS}Capability/{WMS}Layer")

    nested = {layer.findtext(f"{WMS}Title"): len(layer.findall(f"{WMS}Layer")) for layer in root.findall(f"{WMS}Layer")}
    assert nested == {"Collection s2": 7, "Collection terrain": 2}


def test_advertised_aliases_are_layers_and_others_are_not(client):
    names = [name.text for name in etree.fromstring(document_of(client)).iter(f"{WMS}Name")]

    assert "S2_NDVI" in names
    assert "CGS_S2_NDVI" not in names


def test_alias_that_is_not_advertised_is_drawn_all_the_same(client, get_map):
    assert get_map(client, LAYERS="CGS_S2_NDVI").content == get_map(client, LAYERS="NDVI").content


def test_limits_are_those_of_the_configuration(make_client, get_map):
    client = make_client(served.make_services(limits=Limits(max_pixels=1_000_003)))

    service = etree.fromstring(document_of(client)).find(f"{WMS}Service")
    widest = service.findtext(f"{WMS}MaxWidth")

    assert (service.findtext(f"{WMS}LayerLimit"), widest, service.findtext(f"{WMS}MaxHeight")) == ("20", "1000", "1000")
    assert get_map(client, WIDTH=widest, HEIGHT=widest).headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("name", ["EPSG:4326", "CRS:84", "EPSG:3857", "EPSG:32631", "EPSG:3035"])
def test_bounding_boxes_of_130_are_in_the_axis_order_of_the_crs(client, name):
    box = layer_named(document_of(client), "NDVI").find(f"{WMS}BoundingBox[@CRS='{name}']")

    as_defined = Transformer.from_crs("EPSG:32631", name.replace("CRS:84", "OGC:CRS84"))
    first, second = as_defined.transform(620000, 5635000)
    assert float(box.get("minx")) < first < float(box.get("maxx"))
    assert float(box.get("miny")) < second < float(box.get("maxy"))


def test_bounding_boxes_of_111_are_x_first(client):
    box = layer_named(document_of(client, "1.1.1"), "NDVI").find("BoundingBox[@SRS='EPSG:3035']")

    assert 3.9e6 < float(box.get("minx")) < 4.0e6
    assert 3.0e6 < float(box.get("miny")) < 3.2e6


def test_native_bounding_box_is_exact(client):
    box = layer_named(document_of(client), "NDVI").find(f"{WMS}BoundingBox[@CRS='EPSG:32631']")

    assert dict(box.attrib) == {
        "CRS": "EPSG:32631", "minx": "600000", "miny": "5620000", "maxx": "640000", "maxy": "5650000"
    }  # fmt: skip


def test_box_of_the_world_ends_at_the_bounds_of_mercator(make_client):
    box = layer_named(document_of(make_client(services_on(world()))), "NDVI").find(
        f"{WMS}BoundingBox[@CRS='EPSG:3857']"
    )

    assert float(box.get("maxx")) == pytest.approx(20037508.34, abs=1)
    assert float(box.get("maxy")) == pytest.approx(20048966.10, abs=1)


def test_box_of_data_over_the_antimeridian_goes_round_the_earth(make_client):
    fiji = NativeGrid(
        crs=crs_of("EPSG:32760"), transform=Affine(1000, 0, 600000, 0, -1000, 8200000), width=400, height=300
    )

    box = layer_named(document_of(make_client(services_on(fiji))), "NDVI").find(f"{WMS}BoundingBox[@CRS='EPSG:3857']")

    assert (float(box.get("minx")), float(box.get("maxx"))) == pytest.approx((-20037508.342789, 20037508.342789))


def test_layer_has_no_box_in_a_crs_without_coordinates(make_client):
    """South of 60 degrees, a CRS of the Arctic has no coordinates."""
    document = document_of(make_client(services_on(polar(), crs=["EPSG:4326", "EPSG:3413"])))

    boxes = [box.get("CRS") for box in layer_named(document, "NDVI").iter(f"{WMS}BoundingBox")]
    assert boxes == ["EPSG:4326"]


def test_crs84_is_no_name_of_111(client):
    names = [name.text for name in etree.fromstring(document_of(client, "1.1.1")).iter("SRS")]

    assert names == ["EPSG:4326", "EPSG:3857", "EPSG:32631", "EPSG:3035"]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("NDVI", {"default": "2020-06-21", "nearestValue": "0", "current": "1"}),
        ("RECENT", {"default": "2020-06-21", "nearestValue": "1", "current": "1"}),
        ("UNDATED", {"default": None, "nearestValue": "0", "current": "1"}),
        ("FUTURE", {"default": "2020-06-21", "nearestValue": "0", "current": "1"}),
        ("TIMED", {"default": "2020-06-30T10:50:31.024Z", "nearestValue": "1", "current": "1"}),
    ],
)
def test_dimension_follows_the_rules_of_the_layer(client, layer, expected):
    of_130 = layer_named(document_of(client), layer).find(f"{WMS}Dimension")
    of_111 = layer_named(document_of(client, "1.1.1"), layer).find("Extent")

    fixed = {"name": "time", "multipleValues": "1"}
    assert {name: of_130.get(name) for name in (*expected, *fixed)} == {**expected, **fixed}
    assert {name: of_111.get(name) for name in (*expected, *fixed)} == {**expected, **fixed}
    assert of_111.text == of_130.text


@pytest.mark.parametrize(
    ("last", "is_current"),
    [
        (["2020-06-21"], True),
        (["2020-05-20"], False),
        (["2020-05-01", "2020-05-11", "2020-05-21"], False),
        (["2020-05-11", "2020-05-21", "2020-06-01"], True),
        (["2018-01-01", "2019-01-01"], True),
        (["2015-01-01", "2016-01-01", "2016-07-01"], False),
    ],
    ids=["one of this month", "one of long ago", "dekads that ended", "dekads", "years", "years that ended"],
)
def test_current_is_set_for_layers_with_a_recent_newest_time(make_client, last, is_current):
    """`current` means that data are normally kept current (Annex C.2); now is 1 July 2020."""
    layer = served.make_layer(variable=served.make_variable(times=served.days_of(*last)))
    client = make_client(served.make_services(served.make_collection(layer)))

    of_130 = layer_named(document_of(client), "NDVI").find(f"{WMS}Dimension")
    of_111 = layer_named(document_of(client, "1.1.1"), "NDVI").find("Extent")
    of_tiles = etree.fromstring(client.get("/wmts?service=WMTS&request=GetCapabilities").content)

    assert [each.get("current") == "1" for each in (of_130, of_111)] == [is_current] * 2
    assert of_tiles.findtext(".//{*}Dimension/{*}Current") == str(is_current).lower()


def test_layer_of_the_future_has_neither_default_nor_current(make_client):
    future = served.make_layer(variable=served.make_variable(times=served.days_of("2106-01-01")))

    dimension = layer_named(
        document_of(make_client(served.make_services(served.make_collection(future)))), "NDVI"
    ).find(f"{WMS}Dimension")

    assert (dimension.get("default"), dimension.get("current"), dimension.text) == (None, None, "2106-01-01")


def test_layer_without_time_has_no_dimension(client):
    assert layer_named(document_of(client), "HEIGHT").find(f"{WMS}Dimension") is None


def test_every_value_of_a_dimension_is_drawn(client, get_map):
    values = layer_named(document_of(client), "TIMED").findtext(f"{WMS}Dimension").split(",")

    used = [get_map(client, LAYERS="TIMED", TIME=value).headers["Chronotile-Time"] for value in values]

    assert used == ["2020-06-20T10:50:31Z", "2020-06-25T10:50:29Z", "2020-06-30T10:50:31.024Z"]


def test_long_daily_series_stay_short(make_client, get_map):
    days = served.days_of(*np.datetime_as_string(np.arange("1990-01-01", "2020-01-01", dtype="datetime64[D]")))
    layer = served.make_layer(variable=served.make_variable(times=days), time_rules=TimeRules())
    client = make_client(served.make_services(served.make_collection(layer)))

    values = layer_named(document_of(client), "NDVI").findtext(f"{WMS}Dimension").split(",")

    assert values[0] == "1990-01-01/1991-01-01/P1D"
    assert len(values) == 30
    assert get_map(client, TIME=values[0], WIDTH="256", HEIGHT="256").headers["Content-Type"] == "image/png"


def test_attribution_and_keywords_are_carried(make_client):
    layer = served.make_layer(attribution="Copernicus & co", keywords=("green", "wet"))

    element = layer_named(document_of(make_client(served.make_services(served.make_collection(layer)))), "NDVI")

    assert element.findtext(f"{WMS}Attribution/{WMS}Title") == "Copernicus & co"
    assert [keyword.text for keyword in element.iter(f"{WMS}Keyword")] == ["green", "wet"]


def picture_at(client, url):
    """Return the media type and size of the picture at a document's URL."""
    parts = urlsplit(url)
    answer = client.get(f"{parts.path}?{parts.query}")
    return answer.headers["Content-Type"], *Image.open(io.BytesIO(answer.content)).size


@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_legends_exist_in_the_advertised_size(client, version):
    legends = list(etree.fromstring(document_of(client, version)).iter("{*}LegendURL"))

    given = [picture_at(client, legend.find("{*}OnlineResource").get(HREF)) for legend in legends]

    assert given == [
        (legend.findtext("{*}Format"), int(legend.get("width")), int(legend.get("height"))) for legend in legends
    ]
    assert legends


@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_every_advertised_combination_is_drawn(client, get_map, version):
    document = document_of(client, version)
    tree, layer = etree.fromstring(document), layer_named(document, "NDVI")
    formats = [each.text for each in tree.find(".//{*}GetMap").findall("{*}Format")]
    styles = [each.text for each in layer.findall("{*}Style/{*}Name")]
    key = "CRS" if version == "1.3.0" else "SRS"

    def ask(box, style, media_type):
        edges = ",".join(box.get(edge) for edge in ("minx", "miny", "maxx", "maxy"))
        changes = {"VERSION": version, key: box.get(key), "BBOX": edges, "STYLES": style, "FORMAT": media_type}
        answer = get_map(client, **changes)
        return answer.status_code, answer.headers["Content-Type"] == media_type

    boxes = layer.findall("{*}BoundingBox")
    assert {ask(*each) for each in itertools.product(boxes, styles, formats)} == {(200, True)}
    assert [box.get(key) for box in boxes] == [each.text for each in tree.iter("{*}CRS", "{*}SRS")]


def test_document_is_the_same_byte_for_byte(client):
    assert document_of(client) == document_of(client)


def test_update_sequence_is_ignored_since_none_is_advertised(client):
    answer = client.get("/wms?SERVICE=WMS&REQUEST=GetCapabilities&UPDATESEQUENCE=7")

    assert "updateSequence" not in answer.text
    assert (answer.status_code, "ETag" in answer.headers) == (200, True)
