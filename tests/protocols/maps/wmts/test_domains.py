"""DescribeDomains and GetDomainValues in the form of GeoServer's clients (MapStore)."""

import numpy as np
import pytest
from lxml import etree

from chronotile.core.model.time.domain import domain_of_periods
from chronotile.core.model.time.periods import DEKAD
from tests.protocols import served

NS = {"m": "http://demo.geo-solutions.it/share/wmts-multidim/wmts_multi_dimensional.xsd"}
NS["ows"] = "http://www.opengis.net/ows/1.1"
NDVI = "SERVICE=WMTS&VERSION=1.0.0&LAYER=NDVI&TILEMATRIXSET=EPSG:3857"
DAYS = ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"]
ELSEWHERE = "&bbox=0,0,1000,1000"


def tell(client, query):
    answer = client.get(f"/wmts?{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/xml")
    return etree.fromstring(answer.content)


def domain_of(tree):
    found = tree.findtext(".//m:Domain", namespaces=NS)
    return (found or "").split(",") if found else [], int(tree.findtext(".//m:Size", namespaces=NS))


def describe(client, more=""):
    return tell(client, f"{NDVI}&REQUEST=DescribeDomains{more}")


def values(client, more="", layer="NDVI"):
    return tell(client, f"SERVICE=WMTS&VERSION=1.0.0&REQUEST=GetDomainValues&LAYER={layer}&DOMAIN=time{more}")


def test_domains_of_a_layer_are_its_box_and_its_times(client):
    tree = describe(client)

    box = tree.find("m:SpaceDomain/m:BoundingBox", NS)
    assert box.get("CRS") == "EPSG:3857"
    assert float(box.get("minx")) == pytest.approx(491668.6, abs=1)
    assert float(box.get("maxy")) == pytest.approx(6620035.2, abs=1)
    assert tree.findtext("m:DimensionDomain/ows:Identifier", namespaces=NS) == "Time"
    assert domain_of(tree) == (DAYS, 4)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("&time=2020-06-01/2020-06-11", DAYS[1:3]),
        ("&time=2020-06", DAYS[1:]),
        ("&time=1999", []),
        ("&bbox=500000,6580000,550000,6610000", DAYS),
        (ELSEWHERE, []),
        ("&expandLimit=4", DAYS),
        ("&expandLimit=3", ["2020-05-21--2020-06-21"]),
    ],
    ids=["interval", "month", "no-time", "bbox", "bbox-elsewhere", "expanded", "not-expanded"],
)
def test_domain_of_time_is_cut(client, more, expected):
    assert domain_of(describe(client, more))[0] == expected


def test_space_is_the_intersection_of_box_and_layer(client):
    box = describe(client, "&bbox=500000,6000000,510000,7000000").find("m:SpaceDomain/m:BoundingBox", NS)

    assert (box.get("minx"), box.get("maxx")) == ("500000", "510000")
    assert float(box.get("maxy")) == pytest.approx(6620035.2, abs=1)


def test_space_without_the_layer_is_empty(client):
    assert len(describe(client, ELSEWHERE).find("m:SpaceDomain", NS)) == 0


@pytest.mark.parametrize(("asked", "told"), [("bbox", ["SpaceDomain"]), ("time", ["DimensionDomain"])])
def test_only_requested_domains_are_returned(client, asked, told):
    assert [etree.QName(each).localname for each in describe(client, f"&domains={asked}")] == told


def test_layer_without_time_has_space_alone(client):
    tree = tell(client, "SERVICE=WMTS&REQUEST=DescribeDomains&LAYER=HEIGHT&TILEMATRIXSET=WebMercatorQuad")

    assert [etree.QName(each).localname for each in tree] == ["SpaceDomain"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", DAYS),
        ("&limit=2", DAYS[:2]),
        ("&limit=2&fromValue=2020-06-01", DAYS[2:]),
        ("&fromValue=2020-06-21", []),
        ("&sort=desc&limit=2", DAYS[:1:-1]),
        ("&sort=DESC&limit=2&fromValue=2020-06-11", DAYS[1::-1]),
        ("&bbox=0,0,1,1", []),
        ("&bbox=4.5,50.8,4.6,50.9", DAYS),
        ("&time=2020-06&limit=1", DAYS[1:2]),
    ],
    ids=["all", "first", "second", "after-the-last", "last", "last-but", "bbox-elsewhere", "bbox", "time"],
)
def test_values_come_in_pages(client, more, expected):
    assert domain_of(values(client, more)) == (expected, len(expected))


def test_pages_contain_their_request(client):
    tree = values(client, "&limit=2&sort=desc&fromValue=2020-06-21")

    told = [tree.findtext(name, namespaces=NS) for name in ("ows:Identifier", "m:Limit", "m:Sort", "m:FromValue")]
    assert told == ["Time", "2", "desc", "2020-06-21"]


def test_from_end_compares_and_returns_ends(make_client):
    dekads = served.make_variable(times=domain_of_periods(np.datetime64("2020-07-01", "ns"), DEKAD, 3))
    client = make_client(served.make_services(served.make_collection(served.make_layer(variable=dekads))))

    found, _size = domain_of(values(client, "&fromEnd=true&fromValue=2020-07-05"))

    assert found == ["2020-07-01/2020-07-10", "2020-07-11/2020-07-20", "2020-07-21/2020-07-31"]


@pytest.mark.parametrize(
    ("query", "code", "locator"),
    [
        ("REQUEST=DescribeDomains&TILEMATRIXSET=EPSG:3857", "MissingParameterValue", "Layer"),
        ("REQUEST=DescribeDomains&LAYER=NDVI", "MissingParameterValue", "TileMatrixSet"),
        ("REQUEST=DescribeDomains&LAYER=NDVI&TILEMATRIXSET=X", "InvalidParameterValue", "TileMatrixSet"),
        ("REQUEST=DescribeDomains&LAYER=X&TILEMATRIXSET=EPSG:3857", "InvalidParameterValue", "layer"),
        (f"REQUEST=DescribeDomains&{NDVI}&DOMAINS=elevation", "InvalidParameterValue", "Domains"),
        (f"REQUEST=DescribeDomains&{NDVI}&TIME=whenever", "InvalidParameterValue", "Time"),
        (f"REQUEST=DescribeDomains&{NDVI}&BBOX=1,2,3", "InvalidParameterValue", "bbox"),
        ("REQUEST=GetDomainValues&LAYER=NDVI", "MissingParameterValue", "Domain"),
        ("REQUEST=GetDomainValues&LAYER=NDVI&DOMAIN=bbox", "InvalidParameterValue", "Domain"),
        ("REQUEST=GetDomainValues&LAYER=HEIGHT&DOMAIN=time", "InvalidParameterValue", "Domain"),
        ("REQUEST=GetDomainValues&LAYER=NDVI&DOMAIN=time&LIMIT=0", "InvalidParameterValue", "Limit"),
        ("REQUEST=GetDomainValues&LAYER=NDVI&DOMAIN=time&LIMIT=10001", "InvalidParameterValue", "Limit"),
        ("REQUEST=GetDomainValues&LAYER=NDVI&DOMAIN=time&SORT=up", "InvalidParameterValue", "Sort"),
        ("REQUEST=GetDomainValues&LAYER=NDVI&DOMAIN=time&FROMEND=1", "InvalidParameterValue", "FromEnd"),
        ("REQUEST=GetDomainValues&LAYER=NDVI&DOMAIN=time&FROMVALUE=x", "InvalidParameterValue", "Time"),
    ],
)
def test_invalid_value_is_named(client, validate_ogc, query, code, locator):
    service = "" if "SERVICE" in query else "SERVICE=WMTS&"
    answer = client.get(f"/wmts?{service}{query}")

    fault = etree.fromstring(answer.content)[0]
    assert (answer.status_code, fault.get("exceptionCode"), fault.get("locator")) == (400, code, locator)
    assert validate_ogc(answer.content) == []


def test_post_is_not_offered(client, validate_ogc):
    answer = client.post("/wmts", content=b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>")

    fault = etree.fromstring(answer.content)[0]
    assert (answer.status_code, fault.get("exceptionCode")) == (501, "OperationNotSupported")
    assert validate_ogc(answer.content) == []
