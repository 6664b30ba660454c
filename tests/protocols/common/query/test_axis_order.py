"""Boxes and pairs in the axis order of their CRS, and back."""

from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.protocols.common.query.crs import as_xy, in_axis_order

NAMES = ["CRS:84", "EPSG:2180", "EPSG:3031", "EPSG:3035", "EPSG:32631", "EPSG:3857", "EPSG:4326"]


@given(st.sampled_from(NAMES), st.tuples(*[st.floats(-1e6, 1e6)] * 4))
def test_box_goes_to_axis_order_and_back(name, edges):
    crs, box = crs_of(name), BBox(*edges)

    assert as_xy(BBox(*in_axis_order(box, crs)), crs) == box


def test_a_pair_of_a_north_first_crs_has_y_before_x():
    assert in_axis_order((4_000_000.0, 3_000_000.0), crs_of("EPSG:3035")) == (3_000_000.0, 4_000_000.0)
