"""Circles as polygons, against the geodesics of PROJ."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.geometry.circle import MAX_RADIUS_M, circle_of
from chronotile.core.model.request import Point

GEOD = Geod(ellps="WGS84")


def ring_of(longitude: float, latitude: float, radius_m: float) -> np.ndarray:
    ((ring,),) = circle_of(Point(x=longitude, y=latitude), radius_m).polygons
    return ring


def distances(ring: np.ndarray, longitude: float, latitude: float) -> np.ndarray:
    count = len(ring)
    return np.array(GEOD.inv(np.full(count, longitude), np.full(count, latitude), *ring.T)[2])


@given(st.floats(-180, 180), st.floats(-80, 80), st.floats(1, 900_000))
def test_every_vertex_lies_at_the_distance(longitude, latitude, radius_m):
    ring = ring_of(longitude, latitude, radius_m)

    assert distances(ring, longitude, latitude) == pytest.approx(radius_m, abs=1e-3)
    assert (ring[0] == ring[-1]).all()


@given(st.floats(-180, 180), st.floats(-80, 80))
def test_longitudes_go_on_across_the_antimeridian(longitude, latitude):
    ring = ring_of(longitude, latitude, 500_000)

    assert np.abs(np.diff(ring[:, 0])).max() < 180
    assert np.abs(ring[:, 0] - longitude).max() < 180


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_a_circle_round_a_pole_holds_it_and_all_longitudes(pole):
    ring = ring_of(10.0, pole * 0.99, 500_000)

    polygon = shapely.Polygon(ring)
    west, south, east, north = polygon.bounds
    assert east - west == pytest.approx(360)
    assert pole in {south, north}
    assert polygon.is_valid


@pytest.mark.parametrize("radius_m", [0.0, -1.0, MAX_RADIUS_M + 1, float("inf"), float("nan")])
def test_other_radii_are_refused(radius_m):
    with pytest.raises(InvalidParameter) as refused:
        ring_of(4.5, 50.8, radius_m)

    assert refused.value.locator == "within"
