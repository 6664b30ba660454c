"""Capabilities of many layers are small, valid, true and readable by clients."""

import sys

import numpy as np
import pytest
from lxml import etree
from owslib.wms import WebMapService
from owslib.wmts import WebMapTileService
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.model.time.domain import domain_of_instants
from tests.protocols import served
from tests.protocols.pictures import rgba_of

KVP = "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"
WMS = "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION="
NS = {"w": "http://www.opengis.net/wmts/1.0", "ows": "http://www.opengis.net/ows/1.1"}
OUTSIDE = {"TileMatrix": "11", "TileRow": "0", "TileCol": "0"}
LAYERS, TIMES = 500, 1000


def layer_of(number):
    days = np.cumsum(np.random.default_rng(number).integers(1, 12, TIMES)).astype("timedelta64[D]")
    times = domain_of_instants(np.datetime64("1985-01-01", "ns") + days)
    name = f"LAYER_{number:03}"
    return served.make_layer(name, variable=served.make_variable(name, times=times))


@pytest.fixture(scope="module")
def large():
    """A client of 500 layers of 1,000 irregular dates."""
    services = served.make_services(served.make_collection(*map(layer_of, range(LAYERS))))
    with TestClient(application(services), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("url", [KVP, f"{WMS}1.3.0", f"{WMS}1.1.1"], ids=["WMTS", "WMS 1.3.0", "WMS 1.1.1"])
def test_document_is_at_most_a_megabyte_and_valid(large, validate_ogc, url):
    document = large.get(url).content

    assert len(document) <= 1_000_000
    assert validate_ogc(document) == []


@pytest.mark.parametrize("url", [KVP, f"{WMS}1.3.0"], ids=["WMTS", "WMS"])
def test_the_last_times_are_listed_with_the_default(large, url):
    expected = [str(instant)[:10] for instant in layer_of(7).times.instants]

    text = large.get(url).text
    part = text[text.index("LAYER_007<") : text.index("LAYER_008<")]

    assert f">{expected[-1]}<" in part or f",{expected[-1]}<" in part
    assert expected[0] not in part
    assert "/layers/LAYER_007/times" in part


def test_times_that_are_not_listed_are_drawn(large, get_tile):
    first = str(layer_of(7).times.instants[0])[:10]

    assert get_tile(large, layer="LAYER_007", Time=first).status_code == 200


def limits_of(client, url):
    return etree.fromstring(client.get(url).content).findall(".//w:TileMatrixLimits", NS)


def test_tile_limits_are_listed_only_for_some_layers(large, validate_ogc):
    part = f"{KVP}&layers=LAYER_001,LAYER_002"

    assert (limits_of(large, KVP), len(limits_of(large, part)) > 10) == ([], True)
    assert validate_ogc(large.get(part).content) == []


def test_part_is_named_in_the_url_of_its_document(large):
    (url,) = etree.fromstring(large.get(f"{KVP}&layers=LAYER_001").content).findall("w:ServiceMetadataURL", NS)

    assert url.get("{http://www.w3.org/1999/xlink}href").endswith("/WMTSCapabilities.xml?layers=LAYER_001")


def test_without_limits_tiles_outside_the_data_are_transparent(large, get_tile):
    answer = get_tile(large, layer="LAYER_001", **OUTSIDE)

    assert answer.status_code == 200
    assert not rgba_of(answer.content)[..., 3].any()


def test_tiles_outside_their_matrix_are_out_of_range_nevertheless(large, get_tile):
    answer = get_tile(large, layer="LAYER_001", TileRow="2048")

    assert (answer.status_code, b"TileOutOfRange" in answer.content) == (400, True)


@pytest.mark.client(sys.executable)
@pytest.mark.filterwarnings("ignore:Truth-testing of elements:FutureWarning")  # OWSLib on <Current>
def test_owslib_reads_all_layers(large):
    tiles = WebMapTileService("http://testserver/wmts", xml=large.get(KVP).content)
    maps = WebMapService("http://testserver/wms", xml=large.get(f"{WMS}1.3.0").content, version="1.3.0")

    assert len(tiles.contents) == LAYERS
    assert len([name for name in maps.contents if name.startswith("LAYER_")]) == LAYERS


def test_landing_page_and_list_have_all_layers(large):
    assert len(large.get("/layers").json()["layers"]) == LAYERS
    html = {"Accept": "text/html"}
    first, found = large.get("/", headers=html).text, large.get("/?q=LAYER_499", headers=html).text
    last = large.get(f"/?page={-(-LAYERS // 48)}", headers=html).text
    assert [page.count("LAYER_499") >= 1 for page in (first, found, last)] == [False, True, True]
