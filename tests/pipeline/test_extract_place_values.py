"""The matrix of a set of places, without HTTP."""

import numpy as np
import pytest

from chronotile.errors import ClientGone
from chronotile.model.places import PlaceValuesRequest
from chronotile.pipeline.extract_place_values import extract_place_values, resolve_place_values
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


def test_work_stops_when_nobody_waits(services):
    target = resolve_place_values(REQUEST, services)

    with pytest.raises(ClientGone):
        extract_place_values(target, REQUEST, services, is_wanted=lambda: False)


def test_nothing_is_read_to_know_whether_an_answer_is_current(services):
    assert resolve_place_values(REQUEST, services).etag == resolve_place_values(REQUEST, services).etag

    assert [reader.windows_read for reader in services.readers.values()] == [[]]
