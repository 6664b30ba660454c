"""Styles of OGC API over HTTP: lists, stylesheets that are read back, metadata, legends."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree
from PIL import Image

from chronotile.pipeline.styling.load import load_styles
from chronotile.pipeline.styling.read_sld import read_sld
from tests.protocols import served

STYLES = "/ogcapi/collections/CROP/styles"
MEDIA_TYPES = {
    "json": "application/json",
    "yaml": "application/yaml",
    "sld10": "application/vnd.ogc.sld+xml;version=1.0",
    "sld11": "application/vnd.ogc.sld+xml;version=1.1",
}


def links_of(document, rel):
    return [link for link in document["links"] if link["rel"] == rel]


def test_all_styles_of_layers_are_listed_once(tree):
    document = tree.get("/ogcapi/styles").json()

    assert [style["id"] for style in document["styles"]] == ["ndvi-greys", "lai-greys", "rgb", "steps", "reds"]
    assert "default" not in document


@pytest.mark.parametrize(
    ("collection", "ids"), [("CROP", ["steps", "reds"]), ("s2", ["ndvi-greys"]), ("S2_NDVI", ["ndvi-greys"])]
)
def test_a_collection_lists_its_own_with_its_default(tree, collection, ids):
    document = tree.get(f"/ogcapi/collections/{collection}/styles").json()

    assert [style["id"] for style in document["styles"]] == ids
    assert document["default"] == ids[0]


@pytest.mark.parametrize("path", ["/ogcapi/styles", STYLES])
def test_every_link_of_a_list_returns_its_stated_content(tree, path):
    document = tree.get(path).json()

    links = [link for style in document["styles"] for link in style["links"]]
    answers = [tree.get(link["href"]) for link in links]
    assert [answer.status_code for answer in answers] == [200] * len(links)
    told = [answer.headers["content-type"].replace("; charset=utf-8", "") for answer in answers]
    assert told == [link["type"] for link in links]


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_style_is_returned_in_the_requested_encoding(tree, name):
    by_name = tree.get(f"{STYLES}/reds?f={name}")
    by_type = tree.get(f"{STYLES}/reds", headers={"accept": MEDIA_TYPES[name]})

    assert by_name.headers["content-type"].replace("; charset=utf-8", "") == MEDIA_TYPES[name]
    assert by_type.content == by_name.content
    assert by_type.headers["vary"].startswith("Accept")


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("application/vnd.ogc.sld+xml", "sld10"),
        ("application/vnd.ogc.sld+xml;version=1.1.0", "sld11"),
        ("text/html, */*;q=0.5", "json"),
        ("text/yaml", "yaml"),
    ],
)
def test_encoding_may_be_requested_in_other_ways(tree, accept, name):
    assert tree.get(f"{STYLES}/reds", headers={"accept": accept}).content == tree.get(f"{STYLES}/reds?f={name}").content


@pytest.mark.parametrize("name", ["yaml", "json"])
def test_our_own_encodings_are_style_files(tree, tmp_path, name):
    Path(tmp_path, "reds.yaml").write_bytes(tree.get(f"{STYLES}/reds?f={name}").content)

    assert load_styles([tmp_path])["reds"] == served.REDS


@pytest.mark.parametrize(("name", "version"), [("sld10", "1.0.0"), ("sld11", "1.1.0")])
def test_sld_is_valid_and_read_again_as_the_style(tree, validate_ogc, name, version):
    content = tree.get(f"{STYLES}/reds?f={name}").content

    assert validate_ogc(content) == []
    assert etree.fromstring(content).get("version") == version
    (layer,) = read_sld(content, id="reds")
    assert layer.name == "CROP"
    assert [style.style for style in layer.styles] == [served.REDS]


def test_style_of_the_dataset_is_that_of_its_file(make_client):
    """A layer may stretch a style over its values; other layers have the style itself."""
    variable = served.make_variable("NDVI", scale=0.004)
    stretched = served.greys_of(variable)
    own = served.make_layer(variable=variable, styles=(stretched,))
    services = served.make_services(served.make_collection(own))
    client = make_client(services)

    of_dataset, of_layer = (
        client.get(f"/ogcapi{path}/styles/{stretched.id}").json() for path in ("", "/collections/NDVI")
    )

    assert of_layer["range"] == list(stretched.range)
    assert of_dataset == of_layer


def test_metadata_name_sheets_and_a_preview(tree):
    document = tree.get(f"{STYLES}/reds/metadata").json()

    assert (document["id"], document["title"], document["scope"]) == ("reds", "Number as red", "style")
    assert [sheet["link"]["type"] for sheet in document["stylesheets"]] == list(MEDIA_TYPES.values())
    assert {tree.get(sheet["link"]["href"]).status_code for sheet in document["stylesheets"]} == {200}
    (preview,) = links_of(document, "preview")
    assert tree.get(f"{preview['href']}?width=10").headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/ogcapi/styles/nope", "styleId"),
        ("/ogcapi/styles/nope/metadata", "styleId"),
        ("/ogcapi/styles/nope/legend", "styleId"),
        (f"{STYLES}/nope", "styleId"),
        (f"{STYLES}/ndvi-greys", "styleId"),
        ("/ogcapi/collections/nope/styles", "collectionId"),
        ("/ogcapi/collections/nope/styles/steps", "collectionId"),
        ("/ogcapi/collections/nope/legend", "collectionId"),
    ],
)
def test_unknown_style_is_not_found(tree, path, parameter):
    response = tree.get(path)

    assert response.status_code == 404
    assert response.json()["parameter"] == parameter


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (f"{STYLES}?f=html", "f"),
        (f"{STYLES}/reds?f=sld12", "f"),
        (f"{STYLES}/reds/legend?f=gif", "f"),
        (f"{STYLES}/reds/legend?width=0", "width"),
        (f"{STYLES}/reds/legend?width=4097", "width"),
        (f"{STYLES}/reds/legend?height=tall", "height"),
        (f"{STYLES}/reds/legend?orientation=askew", "orientation"),
        (f"{STYLES}/reds/legend?range=1", "range"),
        (f"{STYLES}/reds/legend?ramp=nope", "ramp"),
        (f"{STYLES}/reds/legend?difference=x", "difference"),
        (f"{STYLES}/reds/legend?orientaton=vertical", "orientaton"),
    ],
)
def test_invalid_value_is_named(tree, path, parameter):
    response = tree.get(path)

    assert response.status_code == 400
    assert response.json()["parameter"] == parameter


class TestLegends:
    """Legends are the same as at `/tiles`."""

    @pytest.mark.parametrize("extension", ["png", "svg", "json"])
    @pytest.mark.parametrize(
        ("path", "style"),
        [
            (f"{STYLES}/reds/legend", "reds"),
            ("/ogcapi/styles/reds/legend", "reds"),
            ("/ogcapi/collections/CROP/legend", "steps"),
        ],
    )
    def test_legend_is_that_of_tiles(self, tree, path, style, extension):
        ours = tree.get(f"{path}?f={extension}")
        theirs = tree.get(f"/tiles/CROP/legend.{extension}?style={style}")

        assert ours.content == theirs.content
        assert ours.headers["content-type"] == theirs.headers["content-type"]

    def test_range_and_ramp_are_the_requested_ones(self, tree):
        document = tree.get(f"{STYLES}/reds/legend?f=json&range=0,10&ramp=steps").json()

        assert document["range"] == [0, 10]
        assert document["stops"][-1] == {"value": 10, "color": "#fafafa"}

    def test_legend_has_the_requested_size_and_direction(self, tree):
        response = tree.get(f"{STYLES}/reds/legend?width=300&height=60&orientation=horizontal")

        assert Image.open(io.BytesIO(response.content)).size == (300, 60)

    def test_matching_etag_is_confirmed(self, tree):
        first = tree.get(f"{STYLES}/reds/legend")

        assert tree.get(f"{STYLES}/reds/legend", headers={"if-none-match": first.headers["etag"]}).status_code == 304


def test_flags_and_nodata_are_in_our_own_encodings(make_client):
    flags = (("cloud", served.Colour(255, 255, 255, 128)),)
    style = replace(served.REDS, id="flagged", flags=flags, nodata=served.Colour(1, 2, 3))
    client = make_client(served.make_services(served.make_collection(served.make_layer(styles=(style,)))))

    document = json.loads(client.get("/ogcapi/styles/flagged").content)

    assert document["flags"] == {"cloud": "#ffffff80"}
    assert document["nodata"] == "#010203"


@pytest.mark.parametrize("document", ["/ogcapi?f=json", "/ogcapi/collections/CROP?f=json"])
def test_links_lead_to_styles(tree, document):
    (link,) = links_of(tree.get(document).json(), "http://www.opengis.net/def/rel/ogc/1.0/styles")

    assert tree.get(link["href"]).json()["styles"]
