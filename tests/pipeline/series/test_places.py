"""The matrix of a set of places, without HTTP."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from chronotile.core.errors import ClientGone
from chronotile.core.model.places import PlaceValuesRequest
from chronotile.core.model.space.crs import CRS84
from chronotile.pipeline.series.places import extract_place_values, resolve_place_values
from tests.places import make_places
from tests.protocols import served

REQUEST = PlaceValuesRequest(places="squares", layer="NDVI")


@pytest.fixture
def services():
    """One layer NDVI, and three squares of it."""
    return served.make_services(places=[make_places()])


def test_values_are_rows_of_places_and_columns_of_times(services):
    found = extract_place_values(resolve_place_values(REQUEST, services), REQUEST, services)

    assert found.values.shape == (3, len(served.DEKADS))
    assert np.isfinite(found.values).all()
    assert found.ids == ("S0", "S1", "S2")


def test_places_in_a_corner_of_the_box_that_the_grid_leaves_empty_have_no_values():
    """Rows of UTM run aslant over parallels, so that corners of the box in degrees hold no cell."""
    west, _south, _east, north = served.BELGIUM_31N.bbox_in(CRS84)
    corner = shapely.box(west, north - 1e-4, west + 1e-4, north)
    services = served.make_services(places=[replace(make_places(1), shapes=np.array([corner]))])

    found = extract_place_values(resolve_place_values(REQUEST, services), REQUEST, services)

    assert np.isnan(found.values).all()
    assert found.values.shape == (1, len(served.DEKADS))


def test_work_stops_when_the_client_left(services):
    target = resolve_place_values(REQUEST, services)

    with pytest.raises(ClientGone):
        extract_place_values(target, REQUEST, services, is_active=lambda: False)


def test_etag_is_checked_without_reading(services):
    assert resolve_place_values(REQUEST, services).etag == resolve_place_values(REQUEST, services).etag

    assert [reader.windows_read for reader in services.readers.values()] == [[]]
