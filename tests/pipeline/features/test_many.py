"""The cost of a page does not grow with the set."""

import tracemalloc

import numpy as np
import pytest

from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.pipeline.encoders.vector.geojson import encode_places_geojson
from chronotile.pipeline.features.select import PlaceSelection, select_places
from chronotile.pipeline.place_shapes import MAX_PROJECTED, choose_places, shapes_in
from tests.places import make_places

FEW, MANY = make_places(200), make_places(20_000)


def peak_of(places, crs):
    """Bytes that a page of 100 places takes at most."""

    def page():
        numbers = select_places(places, PlaceSelection())[:100]
        return encode_places_geojson(choose_places(places, numbers, crs=crs), members={})

    page()
    tracemalloc.start()
    try:
        assert page()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("crs", [CRS84, crs_of("EPSG:3035")], ids=["degrees", "laea"])
def test_a_page_of_many_places_takes_the_memory_of_a_page_of_few(crs):
    numbers_of_all = MANY.shapes.size * np.dtype(np.int64).itemsize

    assert peak_of(MANY, crs) < peak_of(FEW, crs) * 1.1 + 2 * numbers_of_all
    assert not MANY.projected


def test_cache_of_crs_is_small():
    places = make_places(3)

    for zone in range(1, 9):
        shapes_in(places, crs_of(f"EPSG:{32600 + zone}"))

    assert [crs.name for crs in places.projected] == [f"EPSG:{32600 + zone}" for zone in range(9 - MAX_PROJECTED, 9)]
