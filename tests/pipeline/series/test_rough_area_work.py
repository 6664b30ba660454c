"""How long series of areas are assumed to take."""

import numpy as np
import pytest

from chronotile.core.errors import ChronotileError
from chronotile.core.model.geometry.area import Area, area_of_box
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.series.area_cells import MAX_ROUGH_S, ROUGH_CELL_S, rough_seconds
from tests.protocols import served

SERVICES = served.make_services()
LAYER = SERVICES.catalogue.layer("NDVI")
EXTENT = SERVICES.catalogue.collections[0].bbox
GRID = served.BELGIUM_31N
WHOLE_S = GRID.width * GRID.height * ROUGH_CELL_S
"""Estimate for all cells at one time."""


def rough(area, time=None):
    return rough_seconds(area, parse_time(time), LAYER, SERVICES)


def box(west=0.0, east=1.0, south=0.0, north=1.0):
    """Parts of the extent."""
    across, down = EXTENT.xmax - EXTENT.xmin, EXTENT.ymax - EXTENT.ymin
    left, right = (EXTENT.xmin + part * across for part in (west, east))
    bottom, top = (EXTENT.ymin + part * down for part in (south, north))
    return area_of_box(BBox(left, bottom, right, top), CRS84)


def test_the_time_grows_with_the_cells_and_the_times():
    times = len(LAYER.times)

    assert rough(box()) == pytest.approx(times * WHOLE_S)
    assert rough(box(east=0.5, north=0.25)) == pytest.approx(times * WHOLE_S / 8)
    assert rough(box(), str(LAYER.times.instants[0])[:10]) == pytest.approx(WHOLE_S)


def test_areas_outside_cost_nothing():
    assert rough(box(west=-1.0, east=0.5)) == pytest.approx(rough(box(east=0.5)))
    assert rough(box(west=1.5, east=2.0)) == 0


def test_polygons_count_as_their_box():
    (ring,) = box(east=0.25).polygons[0]
    (other,) = box(west=0.5, east=0.75).polygons[0]

    assert rough(Area(polygons=((ring,), (other,)))) == pytest.approx(rough(box(east=0.75)))


def test_of_many_polygons_nothing_is_assumed():
    (ring,) = box().polygons[0]

    assert rough(Area(polygons=((ring,),) * 100)) > 0
    assert rough(Area(polygons=((ring,),) * 101)) == 0


def test_no_area_takes_more_than_the_most(monkeypatch):
    monkeypatch.setattr("chronotile.pipeline.series.area_cells.ROUGH_CELL_S", 1.0)

    assert rough(box()) == MAX_ROUGH_S


def test_unknown_cost_is_zero():
    metres = np.array([(6e5, 5.6e6), (6.1e5, 5.6e6), (6e5, 5.61e6), (6e5, 5.6e6)])

    assert rough(Area(polygons=((metres,),), crs=crs_of("EPSG:32631"))) == 0
    assert rough(Area(polygons=())) == 0


def test_wrong_times_are_reported():
    with pytest.raises(ChronotileError):
        rough(box(), "1970-01-01")
