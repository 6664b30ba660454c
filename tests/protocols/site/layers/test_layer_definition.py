"""The layer definition that QGIS opens."""

from urllib.parse import parse_qs

import numpy as np
import pytest
from lxml import etree

from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.time.domain import domain_of_instants
from tests.protocols import served

HOSTILE = "<script>&\"'\x00]]>{{ 7 * 7 }}"


def definition(client, layer="NDVI"):
    answer = client.get(f"/layers/{layer}.qlr")
    assert answer.status_code == 200, answer.text
    return etree.fromstring(answer.content)


def source(tree):
    """Parameters of the provider, which are equal in the tree and the layer."""
    (told,) = {tree.findtext(".//datasource"), tree.find(".//layer-tree-layer").get("source")}
    return {name: values[0] for name, values in parse_qs(told).items()}


def test_the_source_is_the_layer_with_its_times(client):
    told = source(definition(client))

    assert told == {
        "type": "wmst",
        "allowTemporalUpdates": "true",
        "temporalSource": "provider",
        "timeDimensionExtent": ",".join(f"2020-{day}T00:00:00Z" for day in ("05-21", "06-01", "06-11", "06-21")),
        "crs": "EPSG:3857",
        "dpiMode": "0",
        "format": "image/png",
        "layers": "NDVI",
        "styles": "steps",
        "url": "http://testserver/wms",
    }


def test_temporal_properties_are_set(client):
    temporal = definition(client).find(".//temporal")

    assert temporal.attrib == {"enabled": "1", "mode": "1", "fetchMode": "3"}
    assert temporal.findtext("fixedRange/start") == "2020-05-21T00:00:00Z"
    assert temporal.findtext("fixedRange/end") == "2020-06-21T00:00:00Z"


def test_a_layer_without_time_has_none(client):
    tree = definition(client, "HEIGHT")

    assert tree.find(".//temporal") is None
    assert "timeDimensionExtent" not in source(tree)


def test_crs_has_the_code_that_qgis_reads(client):
    crs = definition(client).find(".//srs/spatialrefsys")

    assert crs.findtext("authid") == "EPSG:3857"
    assert 1 <= int(crs.findtext("srsid")) < 100_000


@pytest.mark.parametrize(
    ("last", "beginning"), [("2010-01-01", "2000-01-01T00:00:00Z,2000-01-02T"), ("2030-01-01", "2000-01-01/")]
)
def test_all_times_are_listed_unless_they_are_very_many(make_client, last, beginning):
    days = np.arange("2000-01-01", last, dtype="datetime64[D]").astype("datetime64[ns]")
    layer = served.make_layer(variable=served.make_variable(times=domain_of_instants(days)))
    client = make_client(served.make_services(served.make_collection(layer)))

    assert source(definition(client))["timeDimensionExtent"].startswith(beginning)


def test_an_advertised_alias_is_a_layer_too(client):
    assert source(definition(client, "S2_NDVI"))["layers"] == "S2_NDVI"


def test_hostile_titles_stay_titles(make_client):
    layer = served.make_layer(title={"": HOSTILE})

    tree = definition(make_client(served.make_services(served.make_collection(layer))))

    assert tree.findtext(".//layername") == HOSTILE.replace("\x00", "")


def test_it_is_a_file_to_open(client):
    answer = client.get("/layers/NDVI.qlr")

    assert answer.headers["Content-Type"] == "application/x-qgis-layer-definition"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="NDVI.qlr"'
    assert client.get("/layers/NDVI.qlr", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_landing_page_and_the_layer_link_to_it(client):
    links = client.get("/layers/NDVI").json()["links"]

    assert 'href="layers/NDVI.qlr"' in client.get("/?f=html").text
    assert [link["href"] for link in links if link["rel"] == "qgis"] == ["http://testserver/layers/NDVI.qlr"]


def test_an_unknown_layer_is_404(client):
    assert client.get("/layers/NOPE.qlr").status_code == 404


@pytest.mark.parametrize("options", [{"service": ServiceInfo(wms_paths=())}, {"crs": ()}], ids=["no WMS", "no CRS"])
def test_layer_without_maps_has_no_qgis_definition(make_client, options):
    assert make_client(served.make_services(**options)).get("/layers/NDVI.qlr").status_code == 404
