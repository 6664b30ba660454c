"""Keywords, address and telephone of the service are in every document with elements for them."""

import pytest
from lxml import etree, html

from chronotile.catalog.service_info import Contact, PostalAddress, ServiceInfo
from tests.protocols import served

ADDRESS = PostalAddress(street="Wetstraat 1", city="Brussels", region="BRU", postcode="1000", country="Belgium")
CONTACT = Contact(name="Map desk", email="maps@example.org", telephone="+32 2 555 01 00", address=ADDRESS)
KEYWORDS = ("vegetation", "infoMapAccessService")
WMS = "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION={}"
WMTS = "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"
WCS = "/wcs?SERVICE=WCS&REQUEST=GetCapabilities&VERSION={}"


@pytest.fixture
def make_service(make_client):
    """Return a function: `make_service(contact)` makes a client of a service with keywords and this contact."""

    def make(contact=CONTACT):
        return make_client(served.make_services(service=ServiceInfo(keywords=KEYWORDS, contact=contact)))

    return make


def texts_of(element):
    """Return elements with text, by name without namespace."""
    return [(etree.QName(each).localname, each.text) for each in element.iter() if each.text and each.text.strip()]


def section_of(document, name):
    return next(each for each in etree.fromstring(document).iter() if etree.QName(each).localname == name)


WMS_CONTACT = [
    *(("ContactPerson", "Map desk"), ("ContactOrganization", "Map desk"), ("AddressType", "postal")),
    *(("Address", "Wetstraat 1"), ("City", "Brussels"), ("StateOrProvince", "BRU"), ("PostCode", "1000")),
    *(("Country", "Belgium"), ("ContactVoiceTelephone", "+32 2 555 01 00")),
    ("ContactElectronicMailAddress", "maps@example.org"),
]
WMTS_CONTACT = [
    *(("Voice", "+32 2 555 01 00"), ("DeliveryPoint", "Wetstraat 1"), ("City", "Brussels")),
    *(("AdministrativeArea", "BRU"), ("PostalCode", "1000"), ("Country", "Belgium")),
    ("ElectronicMailAddress", "maps@example.org"),
]


@pytest.mark.parametrize(
    ("url", "service", "contact", "told"),
    [
        (WMS.format("1.3.0"), "Service", "ContactInformation", WMS_CONTACT),
        (WMS.format("1.1.1"), "Service", "ContactInformation", WMS_CONTACT),
        (WMTS, "ServiceIdentification", "ContactInfo", WMTS_CONTACT),
    ],
    ids=["wms 1.3.0", "wms 1.1.1", "wmts"],
)
def test_capabilities_have_keywords_address_and_telephone(make_service, validate_ogc, url, service, contact, told):
    document = make_service().get(url).content

    assert validate_ogc(document) == []
    assert [text for name, text in texts_of(section_of(document, service)) if name == "Keyword"] == list(KEYWORDS)
    assert texts_of(section_of(document, contact)) == told


@pytest.mark.parametrize(
    "contact",
    [
        *(Contact(), Contact(name="Map desk"), Contact(telephone="112"), Contact(email="maps@example.org")),
        Contact(address=PostalAddress(city="Brussels")),
    ],
    ids=["none", "name", "telephone", "email", "city"],
)
@pytest.mark.parametrize("url", [WMS.format("1.3.0"), WMS.format("1.1.1"), WMTS])
def test_documents_with_a_part_of_a_contact_are_valid(make_service, validate_ogc, contact, url):
    assert validate_ogc(make_service(contact).get(url).content) == []


@pytest.mark.parametrize("contact", [Contact(), Contact(name="Map desk")], ids=["none", "name"])
@pytest.mark.parametrize("url", [WMS.format("1.3.0"), WMTS, *map(WCS.format, ("1.0.0", "1.1.1", "2.0.1"))])
def test_capabilities_without_an_address_have_no_element_for_it(make_service, contact, url):
    document = etree.fromstring(make_service(contact).get(url).content)

    assert document.xpath("//*[contains(translate(local-name(), 'A', 'a'), 'address')]") == []


def test_the_landing_page_has_them_for_programs_and_people(make_service):
    client = make_service()

    document, page = client.get("/?f=json").json(), html.document_fromstring(client.get("/?f=html").text)
    assert document["keywords"] == list(KEYWORDS)
    assert document["contact"] == {
        "name": "Map desk",
        "email": "maps@example.org",
        "telephone": "+32 2 555 01 00",
        "address": {
            "street": "Wetstraat 1",
            "city": "Brussels",
            "region": "BRU",
            "postcode": "1000",
            "country": "Belgium",
        },
    }
    assert page.xpath("//meta[@name='keywords']/@content") == [", ".join(KEYWORDS)]
    assert "+32 2 555 01 00" in page.find(".//footer").text_content()
    assert "Wetstraat 1, 1000 Brussels, BRU, Belgium" in page.find(".//footer").text_content()
