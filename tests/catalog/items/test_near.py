"""Items of boxes within a box of an earlier search, compared with shapely and a search for each."""

import numpy as np
import pytest
from shapely import Polygon, box

from chronotile.catalog.items.lookups import MAX_NEAR
from chronotile.core.model.space.boxes import BBox
from chronotile.readers.mosaic.boxes import shared_box_around
from tests.catalog.items.conftest import instant, make_item

AT = instant("2024-05-01T10:30:00")


def turned(random):
    """Return the vertices of a quadrangle that lies askew, with its box."""
    x, y = random.uniform(4, 4.3), random.uniform(50, 50.3)
    angles = np.sort(random.uniform(0, 2 * np.pi, 4))
    size = random.uniform(0.02, 0.2)
    xs, ys = x + size * np.cos(angles), y + size * np.sin(angles)
    ring = [*zip(xs.tolist(), ys.tolist(), strict=True)]
    return (*ring, ring[0]), (float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))


def small_boxes(random, count):
    for west, south in random.uniform((3.9, 49.9), (4.4, 50.4), (count, 2)).tolist():
        width, height = random.uniform(0.001, 0.1, 2).tolist()
        yield BBox(west, south, west + width, south + height)


def test_boxes_within_one_have_the_items_of_a_search_for_each(index):
    random = np.random.default_rng(5)
    footprints = {f"item{number:02}": turned(random) for number in range(40)}
    index.put("s2", [make_item(id_, own, footprint=(ring,)) for id_, (ring, own) in footprints.items()])
    index.put("s2", [make_item("later", (4, 50, 4.4, 50.4), "2024-05-02")])
    polygons = {id_: Polygon(ring) for id_, (ring, _own) in footprints.items()}
    instants, counts = np.array([AT]), set()
    for each in small_boxes(random, 150):
        around = shared_box_around(each)
        found = index.find_near("s2", around, instants)
        assert found.are_all
        assert found.meeting(each) == index.covering("s2", each, instants=instants)
        assert [ref.id for ref in found.meeting(each)] == sorted(
            id_ for id_, polygon in polygons.items() if polygon.intersects(box(*each))
        )
        counts.add(len(found.meeting(each)))
    assert len(counts) > 5


def test_nearby_items_above_the_limit_are_not_returned(index):
    index.put("s2", [make_item(f"item{number}", (4, 50, 4.1, 50.1)) for number in range(MAX_NEAR + 1)])
    found = index.find_near("s2", BBox(4, 50, 4.25, 50.25), np.array([AT]))
    assert (found.are_all, found.items) == (False, ())


def test_boxes_nearby_have_one_place_around_them():
    random = np.random.default_rng(7)
    places = set()
    for each in small_boxes(random, 500):
        around = shared_box_around(each)
        side = max(each.xmax - each.xmin, each.ymax - each.ymin)
        assert around.xmin <= each.xmin < each.xmax <= around.xmax
        assert around.ymin <= each.ymin < each.ymax <= around.ymax
        assert max(around.xmax - around.xmin, around.ymax - around.ymin) <= max(8 * side, 2 * 2**-6)
        places.add(around)
    assert len(places) < 200


@pytest.mark.parametrize(
    "edges", [(4, 50, 4, 50), (4, 50, 5, 50.1), (179.95, 0, -179.95, 0.1), (179.9, 0, 179.99, 0.1)]
)
def test_points_large_boxes_and_boxes_at_the_antimeridian_have_no_place_around(edges):
    assert shared_box_around(BBox(*edges)) is None
