"""One archive, reached as files, static STAC, a STAC API, stac-geoparquet and signed S3, gives the same answers."""

import numpy as np
import pytest

from chronotile.core.model.space.boxes import BBox
from tests.agreement.mosaics.shown import NATIVE_ZOOM, compare, extent, places_of, series_at, tile_values, tiles_of
from tests.scenes_archive.forms import FORMS, NEEDS, STATIC
from tests.scenes_archive.pgstac import lack_of_pgstac
from tests.scenes_archive.plan import SMALL, by_id

pytestmark = pytest.mark.slow

COUNT = 20
OTHERS = [
    pytest.param(form, marks=[pytest.mark.client(*NEEDS[form])] if form in NEEDS else [])
    for form in FORMS
    if form != STATIC
]
TILE = tiles_of(SMALL, NATIVE_ZOOM)[len(tiles_of(SMALL, NATIVE_ZOOM)) // 2]


@pytest.fixture(params=OTHERS)
def form(request) -> str:
    if request.param == "stac-api" and (lack := lack_of_pgstac()):
        pytest.skip(lack)
    return request.param


def test_each_form_has_all_items_with_their_places_and_times(serve, form):
    served, other = serve(form), serve(STATIC)
    box = BBox(*extent(SMALL))

    assert served.summary.put.added == sum(1 for _ in SMALL.all_scenes())
    assert served.summary.problems == ()
    found, expected = (
        {(ref.id.split("/")[-1], ref.instant) for ref in each.index.covering("cut", box)} for each in (served, other)
    )
    if form != "files":  # in files, ids are names, and times are days
        assert found == expected
    assert len(found) == len(expected)
    assert list(served.index.times("cut").starts) == list(other.index.times("cut").starts)


def test_each_form_has_the_same_series(serve, form):
    longitude, latitude = places_of(SMALL, COUNT)

    found = [series_at(serve(form), layer, longitude, latitude) for layer in ("B04", "CELL", "CLEAR")]

    assert found == [series_at(serve(STATIC), layer, longitude, latitude) for layer in ("B04", "CELL", "CLEAR")]


def test_each_form_has_the_same_pictures(serve, form):
    days = [SMALL.days[date] for date in (0, 1, 4)]

    found = [[tile_values(serve(form), layer, TILE, day) for day in days] for layer in ("CELL", "NDVI")]

    expected = [[tile_values(serve(STATIC), layer, TILE, day) for day in days] for layer in ("CELL", "NDVI")]
    assert np.array_equal(found, expected, equal_nan=True)


def test_each_form_has_the_cells_of_the_formula(serve, form):
    x, y = TILE.centres()

    shown = tile_values(serve(form), "CELL", TILE, SMALL.days[1])

    expected = SMALL.mosaic("CELL", x, y, date=1, crs="EPSG:3857", order=by_id).values
    assert compare(shown, expected).same >= 0.999
