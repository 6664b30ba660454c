"""Collections are groups of layers and can be requested like a layer."""

import numpy as np
import pytest
from affine import Affine
from lxml import etree

from chronotile.core.model.collection import MetadataLink
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.protocols.maps.wms import params
from tests.protocols import served
from tests.protocols.maps.wms.cite import HREF
from tests.protocols.pictures import rgba_of

VERSIONS_AND_TAGS = [("1.1.1", "Extent"), ("1.3.0", "Dimension")]
INFO = {"REQUEST": "GetFeatureInfo", "INFO_FORMAT": "application/json", "I": "50", "J": "50"}


def collection_of(count):
    layers = [served.make_layer(f"L{number}") for number in range(count)]
    return served.make_collection(*layers, collection_id="s2")


@pytest.fixture
def grouped(make_client):
    """Client of a group and a single layer; the group has a layer without queries, and a red layer above another."""
    lower, upper = served.make_layer("LOWER"), served.make_layer("UPPER", styles=(served.REDS, served.STEPS))
    mute = served.make_layer("MUTE", queryable=False)
    alone = served.make_layer("ALONE", collection="single")
    return make_client(
        served.make_services(
            served.make_collection(mute, lower, upper), served.make_collection(alone, collection_id="single")
        )
    )


@pytest.mark.parametrize(("count", "kind"), [(1, "image/png"), (20, "image/png"), (21, "text/xml")])
def test_a_group_has_as_many_layers_as_a_map_shows(make_client, get_map, count, kind):
    client = make_client(served.make_services(collection_of(count)))

    assert get_map(client, LAYERS="s2").headers["Content-Type"] == kind


def test_a_group_is_the_map_of_its_layers(grouped, get_map):
    group, layers = (get_map(grouped, LAYERS=names, STYLES="") for names in ("s2", "MUTE,LOWER,UPPER"))

    assert group.content == layers.content
    assert not rgba_of(group.content)[..., 1].all()


def test_group_name_stands_for_its_layers(grouped, get_map):
    mixed = get_map(grouped, LAYERS="s2,ALONE", STYLES=",reds")
    listed = get_map(grouped, LAYERS="MUTE,LOWER,UPPER,ALONE", STYLES=",,,reds")

    assert mixed.content == listed.content


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"LAYERS": "s2", "STYLES": "reds"}, "StyleNotDefined"),
        ({"LAYERS": ",".join(["s2"] * 21), "STYLES": ""}, "InvalidParameterValue"),
        ({"LAYERS": "s2", "STYLES": ",,reds"}, "InvalidParameterValue"),
    ],
    ids=["a style", "too many layers", "too many styles"],
)
def test_invalid_requests_of_a_group_are_refused(grouped, get_map, changes, code):
    assert f'code="{code}"' in get_map(grouped, **changes).text


@pytest.mark.parametrize("changes", [{}, {"QUERY_LAYERS": ",".join(["s2"] * 20), **INFO}], ids=["map", "info"])
def test_layer_limit_counts_names_and_not_members(grouped, get_map, changes):
    answer = get_map(grouped, LAYERS=",".join(["s2"] * 20), STYLES="", **changes)

    assert answer.headers["Content-Type"] in {"image/png", "application/json"}


def test_a_collection_of_too_many_layers_is_refused_by_their_number(make_client, get_map):
    answer = get_map(make_client(served.make_services(collection_of(21))), LAYERS="s2")

    assert 'code="InvalidParameterValue"' in answer.text
    assert "s2 is a collection of 21 layers, LayerLimit is 20" in answer.text


@pytest.mark.parametrize(
    "changes",
    [{"LAYERS": ",".join(["s2"] * 2_000)}, {"LAYERS": "s2", "QUERY_LAYERS": ",".join(["s2"] * 2_000), **INFO}],
    ids=["LAYERS", "QUERY_LAYERS"],
)
def test_groups_are_not_expanded_beyond_the_limit_of_layers(grouped, get_map, monkeypatch, changes):
    opened, layers_in = [], params.layers_in
    monkeypatch.setattr(params, "layers_in", lambda *asked: opened.append(asked) or layers_in(*asked))

    answer = get_map(grouped, STYLES="", **changes)

    assert "names 2000 layers, LayerLimit is 20" in answer.text
    assert len(opened) <= params.LAYER_LIMIT


def test_styles_for_a_group_are_refused(grouped, get_map):
    body = (
        '<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld"><NamedLayer><Name>s2</Name>'
        "<NamedStyle><Name>reds</Name></NamedStyle></NamedLayer></StyledLayerDescriptor>"
    )

    answers = [get_map(grouped, LAYERS=layers, STYLES="", SLD_BODY=body) for layers in ("s2", "LOWER")]
    legend = get_map(grouped, REQUEST="GetLegendGraphic", LAYER="s2", SLD_BODY=body)

    assert {'code="StyleNotDefined"' in answer.text for answer in (*answers, legend)} == {True}


def test_feature_info_of_a_group_has_its_layers_that_can_be_queried(grouped, get_map):
    answer = get_map(grouped, LAYERS="s2", QUERY_LAYERS="s2", STYLES="", **INFO)

    assert [each["properties"]["layer"] for each in answer.json()["features"]] == ["LOWER", "UPPER"]


def layers_of(client, version="1.3.0", more=""):
    """Return the elements of all named layers, by name."""
    query = f"SERVICE=WMS&REQUEST=GetCapabilities&VERSION={version}{more}"
    tree = etree.fromstring(client.get(f"/wms?{query}").content)
    return {layer.findtext("{*}Name"): layer for layer in tree.iter("{*}Layer") if layer.find("{*}Name") is not None}


@pytest.mark.parametrize("count", [1, 2, 20, 21])
@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_capabilities_name_a_group_of_2_to_20_layers(make_client, validate_ogc, count, version):
    client = make_client(served.make_services(collection_of(count)))

    named = layers_of(client, version)

    assert ("s2" in named) is (2 <= count <= 20)
    assert len(named) == count + ("s2" in named)
    assert validate_ogc(client.get(f"/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION={version}").content) == []


def test_capabilities_contain_no_group_with_unlisted_members(make_client):
    client = make_client(served.make_services(collection_of(3)))

    assert set(layers_of(client, more="&layers=L0,L1")) == {"L0", "L1"}
    assert set(layers_of(client, more="&layers=L0,L1,L2")) == {"s2", "L0", "L1", "L2"}


@pytest.fixture
def described(make_client):
    """Client of a group of two adjacent layers with all members that capabilities can contain."""
    grids = [
        NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(0.1, 0, west, 0, -0.1, 51), width=10, height=10)
        for west in (4, 7)
    ]
    layers = [
        served.make_layer(f"L{number}", variable=served.make_variable(f"L{number}", grid=grid), attribution="Us")
        for number, grid in enumerate(grids)
    ]
    record = MetadataLink(url="https://example.org/record.xml", format="application/xml", standard="ISO19115:2003")
    about = {"title": {"": "All"}, "abstract": {"": "Both layers"}, "keywords": ("vegetation",), "metadata": (record,)}
    return make_client(served.make_services(served.make_collection(*layers, **about)))


@pytest.mark.parametrize(("version", "crs"), [("1.1.1", "SRS"), ("1.3.0", "CRS")])
def test_capabilities_describe_a_group_like_a_layer(described, validate_ogc, version, crs):
    named = layers_of(described, version)
    group, first, second = (named[name] for name in ("s2", "L0", "L1"))

    boxes = [
        {box.get(crs): [float(box.get(edge)) for edge in ("minx", "miny", "maxx", "maxy")] for box in boxes}
        for boxes in (each.findall("{*}BoundingBox") for each in (group, first, second))
    ]
    assert (group.findtext("{*}Title"), group.findtext("{*}Abstract")) == ("All", "Both layers")
    assert [word.text for word in group.findall("{*}KeywordList/{*}Keyword")] == ["vegetation"]
    assert group.findtext("{*}Attribution/{*}Title") == "Us"
    assert group.find("{*}MetadataURL/{*}OnlineResource").get(HREF) == "https://example.org/record.xml"
    assert group.get("queryable") == "1"
    assert set(boxes[0]) == set(boxes[1])
    for name, (west, south, east, north) in boxes[0].items():
        parts = [boxes[1][name], boxes[2][name]]
        assert [west, south] == [min(part[edge] for part in parts) for edge in (0, 1)]
        assert [east, north] == [max(part[edge] for part in parts) for edge in (2, 3)]
    assert validate_ogc(etree.tostring(group.getroottree())) == []


def test_the_own_record_of_a_group_is_its_collection(described):
    (link,) = (
        record.find("{*}OnlineResource").get(HREF)
        for record in layers_of(described)["s2"].findall("{*}MetadataURL")
        if record.get("type") == "chronotile"
    )

    answer = described.get(link)

    assert (answer.headers["Content-Type"], answer.json()["id"]) == ("application/json", "s2")


def dimensions(make_client, version, tag, second_times):
    """Return text and attributes of the time dimensions of a group, its dekad layer and its other layer."""
    layers = [
        served.make_layer(f"L{number}", variable=served.make_variable(f"L{number}", times=times))
        for number, times in enumerate((served.DEKADS, second_times))
    ]
    named = layers_of(make_client(served.make_services(served.make_collection(*layers))), version)
    return [[(each.text, dict(each.attrib)) for each in layer.findall(f"{{*}}{tag}")] for layer in named.values()]


@pytest.mark.parametrize(("version", "tag"), VERSIONS_AND_TAGS)
def test_group_has_the_common_times_of_its_layers(make_client, version, tag):
    group, first, second = dimensions(make_client, version, tag, served.DEKADS)

    assert group == first == second
    assert len(group) == 1


@pytest.mark.parametrize(("version", "tag"), VERSIONS_AND_TAGS)
@pytest.mark.parametrize("other", [served.days_of("2020-06-11"), served.NO_TIME], ids=["other times", "no time"])
def test_group_with_layers_of_different_times_has_none(make_client, version, tag, other):
    assert dimensions(make_client, version, tag, other)[0] == []


def test_a_group_shows_its_time_as_its_layers_do(grouped, get_map):
    group, layers = (
        get_map(grouped, LAYERS=names, STYLES="", TIME="2020-06-11") for names in ("s2", "MUTE,LOWER,UPPER")
    )

    assert group.content == layers.content
    assert group.headers["Chronotile-Time"] == "2020-06-11T00:00:00Z"
    assert 'code="InvalidDimensionValue"' in get_map(grouped, LAYERS="s2", STYLES="", TIME="1999").text


def test_group_without_queryable_layers_is_not_queryable(make_client, get_map):
    layers = [served.make_layer(f"L{number}", queryable=False) for number in range(2)]
    client = make_client(served.make_services(served.make_collection(*layers)))

    assert layers_of(client)["s2"].get("queryable") == "0"
    answer = get_map(client, LAYERS="s2", QUERY_LAYERS="s2", STYLES="", **INFO)
    assert 'code="LayerNotQueryable"' in answer.text


LEGEND = "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetLegendGraphic&LAYER={}&FORMAT={}"


def test_legend_of_a_group_stacks_those_of_its_layers_uppermost_first(grouped):
    group, *layers = (
        rgba_of(grouped.get(LEGEND.format(name, "image/png")).content) for name in ("s2", "UPPER", "LOWER", "MUTE")
    )

    top = 0
    for layer in layers:
        height, width = layer.shape[:2]
        np.testing.assert_array_equal(group[top : top + height, :width], layer)
        top += height
    assert group.shape[:2] == (top, max(layer.shape[1] for layer in layers))


@pytest.mark.parametrize("kind", ["image/png", "image/svg%2Bxml"])
def test_legend_of_a_group_has_the_requested_size(grouped, kind):
    body = grouped.get(LEGEND.format("s2", kind) + "&WIDTH=300&HEIGHT=90").content

    if kind == "image/png":
        assert rgba_of(body).shape[:2] == (90, 300)
    else:
        assert [etree.fromstring(body).get(side) for side in ("width", "height")] == ["300", "90"]


def test_legend_of_a_group_as_svg_contains_those_of_its_layers(grouped):
    root = etree.fromstring(grouped.get(LEGEND.format("s2", "image/svg%2Bxml")).content)

    parts = [each for each in root if etree.QName(each).localname == "svg"]
    titles = [part.findtext("{*}title") for part in parts]
    ids = root.xpath("//@id")
    assert titles == [
        etree.fromstring(grouped.get(LEGEND.format(name, "image/svg%2Bxml")).content).findtext("{*}title")
        for name in ("UPPER", "LOWER", "MUTE")
    ]
    assert [float(part.get("y")) for part in parts][1:] == [
        sum(float(part.get("height")) for part in parts[:number]) for number in (1, 2)
    ]
    assert len(ids) == len(set(ids))
    ramps = {fill for fill in root.xpath("//@fill") if fill.startswith("url(#")}
    assert len(ramps) == 3
    assert ramps <= {f"url(#{each})" for each in ids}


def test_legends_of_too_many_pixels_are_refused(grouped):
    address = f"{LEGEND.format('s2', 'image/png')}&LEGEND_OPTIONS="

    refused, drawn = (grouped.get(f"{address}{options}") for options in ("dpi:600;fontSize:72", "dpi:180"))

    assert 'locator="LEGEND_OPTIONS"' in refused.text
    assert "pixels of a legend: at most 4194304" in refused.text
    assert drawn.headers["Content-Type"] == "image/png"


def test_legends_of_a_group_are_refused_by_their_pixels_together(make_client):
    client = make_client(served.make_services(collection_of(20)))

    alone, together = (
        client.get(f"{LEGEND.format(name, 'image/png')}&LEGEND_OPTIONS=dpi:600;fontSize:20") for name in ("L0", "s2")
    )

    assert alone.headers["Content-Type"] == "image/png"
    assert "pixels of a legend: at most 4194304" in together.text


def test_legend_of_a_group_as_json_lists_those_of_its_layers(grouped):
    answer = grouped.get(LEGEND.format("s2", "application/json"))

    assert [each["layer"] for each in answer.json()["legends"]] == ["UPPER", "LOWER", "MUTE"]
    again = grouped.get(LEGEND.format("s2", "application/json"), headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_style_in_a_legend_of_a_group_is_refused(grouped):
    assert 'code="StyleNotDefined"' in grouped.get(LEGEND.format("s2", "image/png") + "&STYLE=reds").text


@pytest.mark.parametrize("operation", ["GetStyles", "DescribeLayer"])
def test_styles_and_descriptions_of_a_group_are_those_of_its_layers(grouped, operation):
    url = f"/wms?SERVICE=WMS&VERSION=1.1.1&REQUEST={operation}&SLD_VERSION=1.1.0&LAYERS="

    assert grouped.get(f"{url}s2").content == grouped.get(f"{url}MUTE,LOWER,UPPER").content


def test_capabilities_name_no_group_with_a_layer_that_has_no_place_on_earth(make_client):
    nowhere = NativeGrid(crs=crs_of("EPSG:32631"), transform=Affine(1e9, 0, 9e12, 0, -1e9, 9e12), width=10, height=10)
    layers = served.make_layer("HERE"), served.make_layer("LOST", variable=served.make_variable("LOST", grid=nowhere))

    assert set(layers_of(make_client(served.make_services(served.make_collection(*layers))))) == {"HERE"}
