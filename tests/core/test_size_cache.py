"""Results that are kept up to so many bytes."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from affine import Affine

from chronotile.catalog.items.asset_forms import assets_of_form, form_of
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import Asset, AssetBand
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.size_cache import MAX_BYTES, cache_by_size
from chronotile.readers.joined.recoding import Recoding


def counted(max_bytes):
    """Return a function whose results take as many bytes as its argument, and the list of its calls."""
    calls = []

    @cache_by_size(lambda _result, size, *_others: size, max_bytes)
    def make(size, name=""):
        calls.append((size, name))
        return f"{size} {name}"

    return make, calls


def test_most_recently_used_entries_are_cached_within_the_limit():
    make, calls = counted(100)
    made = [make(40, "a"), make(40, "b"), make(40, "a"), make(40, "c"), make(40, "a"), make(40, "b")]

    assert made == ["40 a", "40 b", "40 a", "40 c", "40 a", "40 b"]
    assert calls == [(40, "a"), (40, "b"), (40, "c"), (40, "b")]


def test_entry_above_the_limit_evicts_nothing():
    make, calls = counted(100)
    for size in (40, 101, 40, 101):
        make(size)

    assert calls == [(40, ""), (101, ""), (101, "")]


def test_concurrent_makers_of_one_entry_count_it_once():
    calls = []
    at_once = threading.Barrier(2)

    @cache_by_size(lambda _result, _name: 40, 100)
    def slow(name):
        if name == "a":
            at_once.wait(60)
        calls.append((40, name))
        return name

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(slow, "aa")) == ["a", "a"]
    assert [slow(name) for name in "bab"] == ["b", "a", "b"]
    assert calls == [(40, "a"), (40, "a"), (40, "b")]


def recode(number):
    source = Encoding(dtype="uint16", scale=1.0 + number)
    recoded = Recoding(source, Encoding(dtype="float64")).numbers(np.array([7], dtype=np.uint16))
    assert recoded.tolist() == [7.0 * (1 + number)]


def read_form(number):
    grid = NativeGrid(crs=crs_of("EPSG:32631"), transform=Affine(10, 0, number, 0, -10, 0), width=10, height=10)
    bands = tuple(AssetBand(name=f"band {band} of {number}", unit=f"m {number}") for band in range(10))
    assets = [
        Asset(name=f"{name}-{number}", href="", media_type="image/tiff", grid=grid, bands=bands) for name in range(20)
    ]
    assert assets_of_form(form_of(assets).body) == tuple(assets)


@pytest.mark.slow
@pytest.mark.parametrize("make", [recode, read_form], ids=["recoded numbers", "assets of items"])
def test_differing_values_of_many_sources_stay_within_the_limit(make):
    tracemalloc.start()
    try:
        for number in range(400):
            make(number)
        assert tracemalloc.get_traced_memory()[0] <= MAX_BYTES + (2 << 20)
    finally:
        tracemalloc.stop()
