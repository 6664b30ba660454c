"""Capabilities are valid and true, and everything they advertise works."""

import io
import itertools
import re
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from affine import Affine
from lxml import etree
from PIL import Image

from chronotile.catalog.service_info import Contact, PostalAddress, ServiceInfo
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Style
from tests.protocols import served

NS = {"w": "http://www.opengis.net/wmts/1.0", "ows": "http://www.opengis.net/ows/1.1"}
HREF = "{http://www.w3.org/1999/xlink}href"
KVP = "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"
REST = "/wmts/1.0.0/WMTSCapabilities.xml"
HOSTILE = "<script>&\"'\x00\x08]]>{{ 7 * 7 }} ü漢😀"
ALL = {"ServiceIdentification", "ServiceProvider", "OperationsMetadata", "Contents", "Themes"}


def tree_of(client, url=KVP):
    answer = client.get(url)
    assert answer.status_code == 200
    return etree.fromstring(answer.content)


def layer_named(tree, name):
    return tree.xpath("//w:Layer[ows:Identifier=$name]", name=name, namespaces=NS)[0]


def texts(element, path):
    return [each.text for each in element.findall(path, NS)]


def grid_of(crs, transform, width, height):
    return NativeGrid(crs=crs_of(crs), transform=transform, width=width, height=height)


WORLD = grid_of("EPSG:4326", Affine(1, 0, -180, 0, -1, 90), 360, 180)
ANTARCTIC = grid_of("EPSG:3031", Affine(25e3, 0, -3e6, 0, -25e3, 3e6), 240, 240)
FIJI = grid_of("EPSG:32760", Affine(1000, 0, 600000, 0, -1000, 8200000), 400, 300)


def services_on(grid, **options):
    return served.make_services(
        served.make_collection(served.make_layer(variable=served.make_variable(grid=grid))), **options
    )


@pytest.mark.parametrize("url", [KVP, REST])
def test_capabilities_are_valid(client, validate_ogc, url):
    answer = client.get(url)

    assert answer.headers["Content-Type"] == "application/xml"
    assert validate_ogc(answer.content) == []


@pytest.mark.parametrize("grid", [WORLD, ANTARCTIC, FIJI], ids=["world", "pole", "antimeridian"])
def test_capabilities_of_wide_grids_are_valid(make_client, validate_ogc, grid):
    assert validate_ogc(make_client(services_on(grid)).get(KVP).content) == []


def test_hostile_texts_stay_texts(make_client, validate_ogc):
    style = Style(id="steps", title=HOSTILE, range=(0.0, 250.0), ramp=served.STEPS.ramp)
    members = {"title": {"": HOSTILE}, "abstract": {"": HOSTILE}, "keywords": (HOSTILE,), "attribution": HOSTILE}
    collection = served.make_collection(served.make_layer(styles=(style,), **members), **members)
    address = PostalAddress(street=HOSTILE, city=HOSTILE, region=HOSTILE, postcode=HOSTILE, country=HOSTILE)
    contact = Contact(name=HOSTILE, email=HOSTILE, telephone=HOSTILE, address=address)
    info = ServiceInfo(title={"": HOSTILE}, abstract={"": HOSTILE}, keywords=(HOSTILE,), contact=contact)
    client = make_client(served.make_services(collection, service=info))

    tree = tree_of(client)

    assert set(tree.xpath("//w:Layer/ows:Title/text() | //w:Theme/ows:Title/text()", namespaces=NS)) == {
        HOSTILE.replace("\x00", "").replace("\x08", "")
    }
    assert validate_ogc(client.get(KVP).content) == []


@pytest.mark.parametrize("host", ['x"<y>&z', "a b", "[::1", "{{7*7}}"])
@pytest.mark.parametrize("url", [KVP, "/wms?SERVICE=WMS&REQUEST=GetCapabilities"])
def test_hostile_host_leaves_the_document_valid(client, validate_ogc, url, host):
    answer = client.get(url, headers={"Host": host})

    assert (answer.status_code, validate_ogc(answer.content)) == (200, [])
    assert "ETag" in answer.headers  # an exception of WMS has none


def test_documents_are_the_same_byte_for_byte(client):
    queries = [
        "service=WMTS&request=GetCapabilities",
        "ReQuEsT=GetCapabilities&SeRvIcE=WMTS",
        "SERVICE=WMTS&ACCEPTVERSIONS=2.0.0,1.0.0&REQUEST=GetCapabilities&unknown=1",
    ]

    documents = [client.get(f"/wmts?{query}").content for query in queries]

    assert {*documents, client.get(REST).content} == {documents[0]}


def test_service_metadata_url_is_that_of_the_rest_document(client):
    assert tree_of(client).find("w:ServiceMetadataURL", NS).get(HREF) == f"http://testserver{REST}"


@pytest.mark.parametrize("accept", ["example/unknown", "image/png", "application/xml;q=0"])
def test_client_that_takes_no_xml_is_refused(client, accept):
    assert client.get(REST, headers={"Accept": accept}).status_code == 406


@pytest.mark.parametrize("accept", ["", "*/*", "application/xml", "text/html, */*;q=0.1", "*; q=.2"])
def test_client_that_takes_xml_is_served(client, accept):
    assert client.get(REST, headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("All", ALL),
        ("Contents", {"Contents"}),
        ("Themes,Contents", {"Contents", "Themes"}),
        *((section, {section}) for section in sorted(ALL)),
    ],
)
def test_only_requested_sections_are_returned(client, validate_ogc, asked, given):
    answer = client.get(f"{KVP}&Sections={asked}")

    found = {etree.QName(child).localname for child in etree.fromstring(answer.content)}
    assert found == (given if given != ALL else {*ALL, "ServiceMetadataURL"})
    assert validate_ogc(answer.content) == []


def test_operations_name_their_encodings(client):
    gets = tree_of(client).findall(".//ows:Get", NS)

    encodings = [
        (each.get(HREF), each.find("ows:Constraint", NS).get("name"), each.findtext(".//ows:Value", namespaces=NS))
        for each in gets
    ]
    kvp = ("http://testserver/wmts?", "GetEncoding", "KVP")
    document = ("http://testserver/wmts/1.0.0/WMTSCapabilities.xml", "GetEncoding", "RESTful")
    tiles = ("http://testserver/wmts/1.0.0/", "GetEncoding", "RESTful")
    assert encodings == [kvp, document, kvp, *[kvp, tiles, kvp] * 2, kvp, kvp]


@pytest.mark.parametrize("operation", ["GetCapabilities", "GetTile", "GetFeatureInfo"])
@pytest.mark.parametrize("position", [0, -1], ids=["first", "last"])
def test_first_and_last_address_of_an_operation_take_key_value_pairs(client, operation, position):
    """QGIS and OpenLayers read the first URL of an operation, OGC's suite the last, and no client its encoding."""
    found = tree_of(client).xpath("//ows:Operation[@name=$name]//ows:Get", name=operation, namespaces=NS)

    address = urlsplit(found[position].get(HREF))
    answer = client.get(f"{address.path}?service=WMTS&request=GetBOGUS")

    assert (answer.status_code, etree.fromstring(answer.content)[0].get("exceptionCode")) == (
        400,
        "InvalidParameterValue",
    )


def test_feature_info_is_advertised_of_layers_that_can_be_queried(make_client):
    plain, secret = served.make_layer(), served.make_layer("SECRET", queryable=False)
    tree = tree_of(make_client(served.make_services(served.make_collection(plain, secret))))

    operations = [each.get("name") for each in tree.iter(f"{{{NS['ows']}}}Operation")]
    assert operations[:3] == ["GetCapabilities", "GetTile", "GetFeatureInfo"]
    assert "application/json" in texts(layer_named(tree, "NDVI"), "w:InfoFormat")
    assert texts(layer_named(tree, "SECRET"), "w:InfoFormat") == []
    assert layer_named(tree, "SECRET").findall("w:ResourceURL[@resourceType='FeatureInfo']", NS) == []


def test_layers_and_themes_name_each_other(client):
    tree = tree_of(client)

    assert texts(tree, ".//w:LayerRef") == texts(tree, ".//w:Layer/ows:Identifier")
    assert "S2_NDVI" in texts(tree, ".//w:LayerRef")
    assert "CGS_S2_NDVI" not in texts(tree, ".//w:LayerRef")


@pytest.mark.parametrize(
    ("layer", "default", "current"),
    [
        ("NDVI", "2020-06-21", "true"),
        ("UNDATED", "2020-06-21", "true"),
        ("FUTURE", "2020-06-21", "true"),
        ("TIMED", "2020-06-30T10:50:31.024Z", "true"),
    ],
)
def test_default_of_time_is_the_tile_without_one(client, get_tile, layer, default, current):
    dimension = layer_named(tree_of(client), layer).find("w:Dimension", NS)

    told = [dimension.findtext(name, namespaces=NS) for name in ("ows:Identifier", "w:Default", "w:Current")]
    assert told == ["Time", default, current]
    assert default in texts(dimension, "w:Value")
    assert get_tile(client, layer=layer).content == get_tile(client, layer=layer, Time=default).content


def test_every_value_of_a_long_series_is_drawn(make_client, get_tile):
    days = served.days_of(*np.datetime_as_string(np.arange("2016-01-01", "2020-01-01", dtype="datetime64[D]")))
    layer = served.make_layer(variable=served.make_variable(times=days))
    client = make_client(served.make_services(served.make_collection(layer)))

    values = texts(layer_named(tree_of(client), "NDVI"), "w:Dimension/w:Value")

    assert values[:2] == ["2016-01-01/2016-12-31/P1D", "2017-01-01/2018-01-01/P1D"]
    assert values[-1].endswith("/2019-12-31/P1D")
    assert {get_tile(client, Time=value).status_code for value in values} == {200}


def test_layer_without_time_has_no_dimension_and_no_time_in_its_template(client):
    layer = layer_named(tree_of(client), "HEIGHT")

    assert layer.find("w:Dimension", NS) is None
    assert [each.get("template") for each in layer.findall("w:ResourceURL[@resourceType='tile']", NS)] == [
        f"http://testserver/wmts/1.0.0/HEIGHT/{{Style}}/{{TileMatrixSet}}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.{extension}"
        for extension in ("png", "webp", "jpg")
    ]


@pytest.mark.parametrize(("kind", "formats"), [("tile", "w:Format"), ("FeatureInfo", "w:InfoFormat")])
def test_every_format_has_a_template_in_the_same_order(client, kind, formats):
    layer = layer_named(tree_of(client), "NDVI")

    templates = layer.findall(f"w:ResourceURL[@resourceType='{kind}']", NS)
    assert [each.get("format") for each in templates] == texts(layer, formats)
    assert len({each.get("template") for each in templates}) == len(templates)


def test_templates_of_a_layer_with_time_all_have_it(client):
    templates = [each.get("template") for each in layer_named(tree_of(client), "NDVI").findall("w:ResourceURL", NS)]

    assert len(templates) == 7
    assert all("/{Style}/{Time}/{TileMatrixSet}/" in template for template in templates)


def fill(resource, **names):
    """The path of a tile in a template."""
    names = {name: quote(value, safe="") for name, value in names.items()}
    return urlsplit(re.sub(r"\{(\w+)\}", lambda found: names[found[1]], resource.get("template"))).path


def test_every_advertised_tile_is_drawn_alike_in_both_encodings(client, get_tile):
    layer = layer_named(tree_of(client), "NDVI")
    axes = [
        layer.findall("w:ResourceURL[@resourceType='tile']", NS),
        texts(layer, "w:Style/ows:Identifier"),
        texts(layer, "w:Dimension/w:Value"),
        layer.findall("w:TileMatrixSetLink", NS),
    ]

    def ask(resource, style, time, link):
        limits = link.findall(".//w:TileMatrixLimits", NS)[-1]
        names = {"TileMatrixSet": link.findtext("w:TileMatrixSet", namespaces=NS)}
        for name, element in (("TileMatrix", "TileMatrix"), ("TileRow", "MinTileRow"), ("TileCol", "MaxTileCol")):
            names[name] = limits.findtext(f"w:{element}", namespaces=NS)
        by_path = client.get(fill(resource, Style=style, Time=time, **names))
        by_query = get_tile(client, style=style, Time=time, format=resource.get("format"), **names)
        return (
            by_path.status_code,
            by_path.headers["Content-Type"] == resource.get("format"),
            by_path.content == by_query.content,
        )

    assert {ask(*each) for each in itertools.product(*axes)} == {(200, True, True)}


def corners(tree, name):
    limits = layer_named(tree, "NDVI").xpath(
        "w:TileMatrixSetLink[w:TileMatrixSet=$name]//w:TileMatrixLimits", name=name, namespaces=NS
    )
    for each in limits:
        matrix, *edges = (child.text for child in each)
        yield matrix, [int(edge) for edge in edges]


@pytest.mark.parametrize("name", ["WebMercatorQuad", "WorldCRS84Quad"])
def test_limits_are_those_of_tiles(make_client, get_tile, name):
    """Tiles inside the limits have status 200, adjacent tiles outside 400, in every matrix."""
    client = make_client()

    def ask(matrix, row, column):
        return get_tile(
            client, TileMatrixSet=name, TileMatrix=matrix, TileRow=str(row), TileCol=str(column)
        ).status_code

    answers = {
        (
            ask(matrix, top, left),
            ask(matrix, bottom, right),
            ask(matrix, bottom + 1, right),
            ask(matrix, bottom, right + 1),
        )
        for matrix, (top, bottom, left, right) in corners(tree_of(client), name)
    }
    assert answers == {(200, 200, 400, 400)}


def test_every_tile_of_a_matrix_without_limits_is_answered(make_client, get_tile):
    """OGC's suite requests any tile of a matrix without limits."""
    client = make_client()
    tree = tree_of(client)

    def corner_tiles(name):
        limited = dict(corners(tree, name))
        (tile_matrix_set,) = tree.xpath("//w:TileMatrixSet[ows:Identifier=$name]", name=name, namespaces=NS)
        for matrix in tile_matrix_set.findall("w:TileMatrix", NS):
            matrix_id = matrix.findtext("ows:Identifier", namespaces=NS)
            last_row = int(matrix.findtext("w:MatrixHeight", namespaces=NS)) - 1
            last_column = int(matrix.findtext("w:MatrixWidth", namespaces=NS)) - 1
            for row, column in {(0, 0), (last_row, last_column)} if matrix_id not in limited else ():
                yield {"TileMatrixSet": name, "TileMatrix": matrix_id, "TileRow": str(row), "TileCol": str(column)}

    asked = [tile for name in ("WebMercatorQuad", "WorldCRS84Quad") for tile in corner_tiles(name)]
    answers = [get_tile(client, **tile) for tile in asked]

    assert len({(tile["TileMatrixSet"], tile["TileMatrix"]) for tile in asked}) > 10
    assert {answer.status_code for answer in answers} == {200}


def test_layer_is_linked_only_to_sets_it_has_tiles_in(make_client, get_tile):
    client = make_client(services_on(FIJI, tile_matrix_sets=["WebMercatorQuad", "EuropeanETRS89_LAEAQuad"]))

    links = texts(layer_named(tree_of(client), "NDVI"), "w:TileMatrixSetLink/w:TileMatrixSet")
    elsewhere = get_tile(client, TileMatrixSet="EuropeanETRS89_LAEAQuad", TileMatrix="3", TileRow="1", TileCol="1")

    assert links == ["WebMercatorQuad"]
    assert elsewhere.status_code == 400


@pytest.mark.parametrize(
    ("name", "crs", "corner", "first_scale"),
    [
        ("WebMercatorQuad", "urn:ogc:def:crs:EPSG::3857", "-20037508.342789244 20037508.342789244", 559082264.0287178),
        ("WorldCRS84Quad", "urn:ogc:def:crs:OGC:1.3:CRS84", "-180 90", 279541132.0143589),
        ("EuropeanETRS89_LAEAQuad", "urn:ogc:def:crs:EPSG::3035", "5500000 2000000", 62779017.857142866),
    ],
)
def test_sets_have_their_corner_in_the_axis_order_of_the_crs(make_client, name, crs, corner, first_scale):
    element = tree_of(make_client(served.make_services(tile_matrix_sets=[name]))).find("w:Contents/w:TileMatrixSet", NS)

    first = element.find("w:TileMatrix", NS)
    assert element.findtext("ows:SupportedCRS", namespaces=NS) == crs
    assert first.findtext("w:TopLeftCorner", namespaces=NS) == corner
    assert float(first.findtext("w:ScaleDenominator", namespaces=NS)) == pytest.approx(first_scale, rel=1e-9)


def test_only_a_whole_scale_set_is_called_well_known(client):
    """WorldCRS84Quad starts with the second scale of GoogleCRS84Quad; WebMercatorQuad has another CRS than Annex E."""
    assert texts(tree_of(client), ".//w:WellKnownScaleSet") == []


def test_geographic_box_is_longitude_first(client):
    box = layer_named(tree_of(client), "NDVI").find("ows:WGS84BoundingBox", NS)

    assert [[round(float(edge), 3) for edge in corner.text.split()] for corner in box] == [
        [4.417, 50.715],
        [4.995, 50.993],
    ]


def test_attribution_is_in_the_abstract(client):
    assert layer_named(tree_of(client), "NDVI").findtext("ows:Abstract", namespaces=NS) == "Copernicus & co"


def test_legends_exist_in_the_advertised_size(client):
    legends = tree_of(client).findall(".//w:LegendURL", NS)

    def size_at(url):
        parts = urlsplit(url)
        return Image.open(io.BytesIO(client.get(f"{parts.path}?{parts.query}").content)).size

    assert [size_at(each.get(HREF)) for each in legends] == [
        (int(each.get("width")), int(each.get("height"))) for each in legends
    ]
    assert legends


def test_capabilities_that_the_client_holds_are_304(client):
    first = client.get(KVP)

    again = client.get(KVP, headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&", "/wmts/1.0.0/WMTSCapabilities.xml?"])
@pytest.mark.parametrize(("languages", "title"), [("fr,nl", "Planten"), ("fr", "Plants")])
def test_titles_are_in_the_language_accepted(make_client, path, languages, title):
    info = ServiceInfo(title={"en": "Plants", "nl": "Planten"}, languages=("en", "nl"))
    client = make_client(served.make_services(service=info))

    root = etree.fromstring(client.get(f"{path}AcceptLanguages={languages}").content)

    assert root.findtext("{*}ServiceIdentification/{*}Title") == title


@pytest.mark.parametrize(
    ("left", "listed"),
    [
        (ServiceInfo().wmts_formats, ["image/png", "image/webp", "image/jpeg"]),
        (("image/webp", "image/png"), ["image/png", "image/webp"]),
        (("image/jpeg",), ["image/jpeg"]),
    ],
    ids=["all", "two", "no PNG"],
)
def test_formats_are_those_of_the_configuration_and_png_is_the_first(make_client, get_tile, left, listed):
    client = make_client(served.make_services(service=ServiceInfo(wmts_formats=left)))

    layer = layer_named(tree_of(client), "NDVI")
    tiles = [get_tile(client, format=name) for name in ("image/png", "image/webp", "image/jpeg")]
    template = layer.find("w:ResourceURL[@resourceType='tile']", NS).get("template")
    extension = {"image/png": "png", "image/jpeg": "jpg"}[listed[0]]

    assert texts(layer, "w:Format") == listed
    assert [tile.headers["Content-Type"] for tile in tiles if tile.status_code == 200] == sorted(
        listed, key=["image/png", "image/webp", "image/jpeg"].index
    )
    assert template.endswith(f".{extension}")


@pytest.mark.parametrize(("format", "extension"), [("image/jpeg", "jpg"), ("image/gif", "gif")])
def test_unconfigured_format_is_refused_with_the_configured_ones(make_client, get_tile, format, extension):
    client = make_client(served.make_services(service=ServiceInfo(wmts_formats=("image/png",))))

    by_query = get_tile(client, format=format)
    info = get_tile(client, format=format, request="GetFeatureInfo", I="0", J="0", InfoFormat="text/plain")
    by_path = client.get(f"/wmts/1.0.0/NDVI/steps/2020-06-11/WebMercatorQuad/11/687/1052.{extension}")

    assert [answer.status_code for answer in (by_query, info, by_path)] == [400, 400, 404]
    assert ["accepted are image/png<" in answer.text for answer in (by_query, info)] == [True, True]
    assert "accepted are png<" in by_path.text
