"""Records over an index of scenes, including a malicious one, and of dates of a cube."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.service_info import Contact, PostalAddress
from chronotile.core.model.collection import Alias
from tests.protocols import served
from tests.protocols.catalogue.stac.conftest import put, services_over
from tests.protocols.catalogue.stac.documents import DAYS, SECRET, dated, scene

CONTACT = Contact(
    name="Map desk",
    email="maps@example.org",
    telephone="+32 2 555 01 00",
    address=PostalAddress(street="Wetstraat 1", city="Brussels", postcode="1000", country="Belgium"),
)


def hostile():
    """A scene with markup and locations in its properties, and properties of wrong types."""
    document = scene("<b>&'\"", day=20, cloud=95)
    document["properties"] |= {
        "title": 7,
        "description": "<script>alert(2)</script>",
        "keywords": "none",
        "type": "service",
        "created": "yesterday",
        "updated": "2021-01-01T01:00:00+01:00",
        "contacts": "me",
        "license": "https://licences.test/terms",
        "formats": {"a": 1},
        "time": SECRET,
        "collection": "other",
        "themes": [],
    }
    return document


@pytest.fixture(scope="session")
def index(tmp_path_factory):
    index = open_items(None, tmp_path_factory.mktemp("records"), archive="a")
    put(
        index,
        "scenes",
        [*(scene(f"scene {number}", day=1 + number, cloud=number * 10) for number in range(9)), hostile()],
    )
    put(index, "s2", [dated(day) for day in DAYS])
    put(index, "gone", [scene("hidden", day=1, cloud=0)])
    yield index
    index.close()


def services_with_contact(index):
    services = services_over(index)
    catalogue = services.catalogue
    service = replace(catalogue.service, contact=CONTACT, keywords=("europe",))
    return replace(services, catalogue=replace(catalogue, service=service), changes={"": served.NOW})


@pytest.fixture(scope="session")
def records(index):
    """A client of records of `s2` and `scenes`, and of their items."""
    with TestClient(application(services_with_contact(index)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def many(make_client):
    """Client of records of many collections; even numbers have the alias `OLD_number`."""
    layers = [
        served.make_layer(f"L{number}", collection=f"c{number}", aliases=_aliases(number)) for number in range(25)
    ]
    collections = [
        served.make_collection(
            layer,
            title={"": f"Title {number % 5} of  {number}"},
            keywords=("even" if number % 2 == 0 else "odd",),
            license="CC-BY-4.0" if number % 3 else None,
        )
        for number, layer in enumerate(layers)
    ]
    return make_client(served.make_services(*collections))


def _aliases(number):
    return (Alias(name=f"OLD_{number}"),) if number % 2 == 0 else ()
