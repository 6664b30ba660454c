"""Capabilities in the reader's language, with INSPIRE's additions."""

import pytest
from lxml import etree

from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.collection import MetadataLink
from tests.protocols import served

WMS = "{http://www.opengis.net/wms}"
VS = "{http://inspire.ec.europa.eu/schemas/inspire_vs/1.0}"
COMMON = "{http://inspire.ec.europa.eu/schemas/common/1.0}"
HREF = "{http://www.w3.org/1999/xlink}href"
RECORD = MetadataLink(url="https://example.org/csw?id=1&x=2", format="application/vnd.iso.19139+xml")


@pytest.fixture
def bilingual(make_client):
    """A client of a service in English and Dutch, with metadata records."""
    info = ServiceInfo(title={"en": "Plants", "nl": "Planten"}, languages=("en", "nl"), inspire=RECORD)
    fgdc = MetadataLink(url="https://example.org/fgdc", format="text/xml", standard="FGDC:1998")
    return make_client(served.make_services(served.make_collection(metadata=(RECORD, fgdc)), service=info))


def document(client, **parameters):
    query = {"SERVICE": "WMS", "REQUEST": "GetCapabilities", **parameters}
    return etree.fromstring(client.get("/wms", params=query).content)


@pytest.mark.parametrize(("language", "title"), [("eng", "Plants"), ("dut", "Planten")])
def test_titles_are_in_the_requested_language(bilingual, language, title):
    assert document(bilingual, LANGUAGE=language).findtext(f"{WMS}Service/{WMS}Title") == title


def test_inspire_metadata_contain_the_record_and_the_languages(bilingual):
    extended = document(bilingual, LANGUAGE="nl").find(f"{WMS}Capability/{VS}ExtendedCapabilities")

    assert [each.text for each in extended.iter(f"{COMMON}URL", f"{COMMON}MediaType")] == [RECORD.url, RECORD.format]
    assert [each.text for each in extended.iter(f"{COMMON}Language")] == ["eng", "dut", "dut"]
    assert [each.tag for each in extended] == [
        f"{COMMON}MetadataUrl", f"{COMMON}SupportedLanguages", f"{COMMON}ResponseLanguage"
    ]  # fmt: skip


def test_capabilities_with_the_inspire_extension_are_valid(bilingual, validate_ogc):
    root = document(bilingual)
    extended = root.find(f"{WMS}Capability/{VS}ExtendedCapabilities")
    extended.getparent().remove(extended)
    location = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
    root.set(location, " ".join(root.get(location).split()[:2]))

    assert validate_ogc(etree.tostring(root)) == []


def test_capabilities_of_111_have_no_extension_and_are_valid(bilingual, validate_ogc):
    answer = bilingual.get("/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.1.1")

    assert b"inspire" not in answer.content
    assert validate_ogc(answer.content) == []


@pytest.mark.parametrize(
    ("version", "standards"), [("1.3.0", ["ISO19115:2003", "FGDC:1998", "chronotile"]), ("1.1.1", ["TC211", "FGDC"])]
)
def test_metadata_records_are_linked(bilingual, version, standards):
    records = list(document(bilingual, VERSION=version).iter("{*}MetadataURL"))

    assert [record.get("type") for record in records] == standards
    assert records[0].find("{*}OnlineResource").get(HREF) == RECORD.url
