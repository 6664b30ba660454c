"""Two sets of places over the layers of `served`: squares in a row, and squares in another CRS."""

import dataclasses

import pytest
import shapely

from chronotile.core.model.places import PlacesSpec
from chronotile.readers.places.place_files import read_places
from tests.places import feature, write_places
from tests.protocols import served

LAMBERT = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::31370"}}


@pytest.fixture
def squares(tmp_path):
    """Three squares inside the layers, and one far away."""
    far = feature(3, shapely.box(30, 10, 31, 11))
    path = write_places(tmp_path / "squares.geojson", *(feature(number) for number in range(3)), far)
    return read_places(
        PlacesSpec(
            id="squares",
            title={"en": "Squares", "nl": "Vierkanten"},
            attribution="Made up",
            path=str(path),
            id_field="code",
            label_field="name",
            fields=("crop", "area_ha"),
            max_features=100,
            max_vertices=1000,
        )
    )


@pytest.fixture
def lambert(tmp_path):
    """A square of 20 km in Belgian Lambert."""
    path = write_places(tmp_path / "l.geojson", feature(0, shapely.box(150e3, 160e3, 170e3, 180e3)), crs=LAMBERT)
    return read_places(
        PlacesSpec(id="lambert", title={"": "L"}, path=str(path), id_field="code", max_features=9, max_vertices=99)
    )


@pytest.fixture
def services(squares, lambert):
    """The layers of `served.varied_collections` with both sets."""
    service = served.ServiceInfo(languages=("en", "nl"))
    return served.make_services(*served.varied_collections(), places=[squares, lambert], service=service)


@pytest.fixture
def client(make_client, services):
    """A client of both sets."""
    return make_client(services)


@pytest.fixture
def limited(make_client, services):
    """Return a function: `limited(max_series_values=…)` makes a client with limits."""

    def make(**limits):
        catalogue = dataclasses.replace(services.catalogue, limits=served.Limits(**limits))
        return make_client(dataclasses.replace(services, catalogue=catalogue))

    return make
