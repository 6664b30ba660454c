"""Client of two collections with items in an index."""

from contextlib import closing

import pytest

from chronotile.catalog.items.opening import open_items
from chronotile.catalog.service_info import Contact, ServiceInfo
from chronotile.core.model.items import IndexSettings
from tests.changing import services_over
from tests.protocols.served import TEST_HOST


@pytest.fixture
def index(tmp_path):
    with closing(open_items(None, tmp_path / "index")) as index:
        for name in ("s2", "modis"):
            index.configure(name, IndexSettings())
        yield index


@pytest.fixture
def client(index, make_client):
    service = ServiceInfo(
        title={"en": "Vegetation & <more>"},
        contact=Contact(name="A & B", email="maps@example.org"),
        hosts=(TEST_HOST,),
        languages=("en", "nl"),
    )
    return make_client(services_over(index, "s2", "modis", service=service))
