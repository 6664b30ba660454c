"""Footprints: encoding, decoding, and intersections with a box, compared with shapely."""

import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.catalog.items.footprints import THE_BOX, meets, pack, unpack
from chronotile.core.model.space.boxes import BBox
from tests.catalog.items.conftest import rectangle

eighths = st.integers(0, 80).map(lambda number: number / 8)
points = st.tuples(eighths, eighths)


def hull(vertices):
    found = shapely.convex_hull(shapely.MultiPoint(vertices))
    return tuple(found.exterior.coords) if found.geom_type == "Polygon" else rectangle((0.0, 0.0, 1.0, 1.0))


rings = st.lists(points, min_size=3, max_size=8, unique=True).map(hull)


def box_of(ring):
    return BBox(*shapely.Polygon(ring).bounds)


@settings(max_examples=50)
@given(rings)
def test_footprint_is_restored(ring):
    assert unpack(pack((ring,), box_of(ring)), box_of(ring)) in {(ring[:-1],), unpack(THE_BOX, box_of(ring))}


@settings(max_examples=50)
@given(rings, points, points)
def test_ring_intersects_a_box_exactly_if_shapely_agrees(ring, one, other):
    box = BBox(min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1]))

    found = meets(unpack(pack((ring,), box_of(ring)), box_of(ring)), (box,))

    assert found == bool(shapely.Polygon(ring).intersects(shapely.box(*box)))


def test_a_rectangle_takes_no_bytes():
    assert pack((rectangle((4.0, 50.0, 5.0, 51.0)),), BBox(4, 50, 5, 51)) == THE_BOX


def test_a_ring_that_leaps_over_the_antimeridian_runs_on():
    ring = ((179.0, 0.0), (-179.0, 0.0), (-179.0, 1.0), (179.5, 1.0), (179.0, 0.0))
    box = BBox(179, 0, -179, 1)

    assert unpack(pack((ring,), box), box) == (((179.0, 0.0), (181.0, 0.0), (181.0, 1.0), (179.5, 1.0)),)
    assert meets(unpack(pack((ring,), box), box), (BBox(-179.5, 0.5, -179.4, 0.6),))
    assert not meets(unpack(pack((ring,), box), box), (BBox(179.1, 0.9, 179.2, 0.95),))


def test_ring_around_a_pole_is_not_changed():
    ring = tuple((float(x), 80.0) for x in (-180, -90, 0, 90, 180))
    box = BBox(-180, 80, 180, 90)

    assert unpack(pack((ring,), box), box) == (ring,)
