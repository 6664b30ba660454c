"""Mosaics of files on another machine: which requests are sent together."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from chronotile.core.errors import DateUnreadable, SourceUnavailable
from chronotile.core.model.items import Asset, IndexSettings, Mosaic
from chronotile.core.model.request import Point
from chronotile.core.model.source import ItemsSpec, SourceSpec, VariableSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import Grid, Window
from chronotile.readers.cog.files import open_cog
from chronotile.readers.mosaic import places
from chronotile.readers.mosaic.kind import open_ahead, open_asset
from chronotile.readers.mosaic.source import open_mosaic
from chronotile.readers.reader_caches import ReaderCaches
from tests.faulty_source import Fault
from tests.readers.mosaic.brute_index import BruteIndex
from tests.readers.mosaic.tiles import EAST, item_of, tiles_about_the_seam, write_tile

pytestmark = pytest.mark.slow

COLLECTION = "s2"
DAYS = 8


@pytest.fixture
def make_mosaic(source):
    """Return `make_mosaic(tiles, days, rule)`: the mosaic of files at the source, with headers in the index."""

    def make_mosaic(tiles, days, rule="first", *, has_headers=True):
        index = BruteIndex()
        index.settings_of[COLLECTION] = IndexSettings(group="solar_day")
        for day in range(days):
            for tile in tiles:
                path = write_tile(source.folder, tile, day=day)
                item = item_of(tile, {"B04": path}, start=f"2024-06-{day + 1:02}T10:50:00", suffix=f"_{day}")
                asset = asset_at(source, path)
                asset = asset if has_headers else replace(asset, header=None, etag="", size=None)
                index.put(COLLECTION, replace(item, assets=(asset,)))
        spec = SourceSpec(
            collection=COLLECTION,
            kind="stac",
            href=source.url_of("catalogue.json"),
            variables={"RED": VariableSpec(id="RED", asset="B04")},
            items=ItemsSpec(settings=index.settings(COLLECTION), mosaic=Mosaic(rule=rule)),
        )
        caches = ReaderCaches()
        return open_mosaic(spec, index, partial(open_asset, spec, caches), open_ahead=partial(open_ahead, spec, caches))

    return make_mosaic


def asset_at(source, path):
    """Return the file as an asset of the index."""
    status, header = path.stat(), open_cog(str(path)).header
    return Asset(
        name="B04",
        href=source.url_of(path.name),
        header=header.to_bytes(),
        etag=f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"',
        size=status.st_size,
        grid=header.levels()[0],
    )


def read_while_held(source, read, count):
    """Return the result of a read whose first requests arrive before any is answered."""
    source.switch(Fault.HOLD)
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(read)
        source.wait_until_hanging(count=count)
        source.release()
        return reading.result()


def test_pieces_of_a_picture_are_requested_together_and_no_header_is(source, make_mosaic):
    mosaic = make_mosaic(tiles_about_the_seam()[2:6], 1)
    before = source.count()
    grid = Grid(crs=CRS84, bbox=BBox(EAST - 0.004, 49.998, EAST + 0.004, 50.002), width=64, height=64)

    read_while_held(source, lambda: mosaic.compose("RED", index=0, grid=grid), 4)

    assert before == 0
    assert source.count() == 4


@pytest.mark.parametrize("rule", ["first", "max"])
def test_times_of_a_series_are_requested_together(rule, source, make_mosaic):
    tile = tiles_about_the_seam()[0]
    mosaic = make_mosaic([tile], DAYS, rule)
    place = Point(x=tile.left + 555, y=tile.top - 555, crs=crs_of(f"EPSG:{tile.epsg}"))

    series = read_while_held(source, lambda: mosaic.read_point("RED", indexes=range(DAYS), point=place), DAYS)

    assert source.count() == DAYS
    assert len(np.unique(series.numbers)) == DAYS


@pytest.mark.parametrize(("fault", "is_of_date"), [(Fault.MISSING, True), (Fault.UNAVAILABLE, False)])
def test_missing_file_is_no_fault_of_its_store(fault, is_of_date, source, make_mosaic):
    """Then a series omits the date; if the store fails, the whole series fails."""
    tile = tiles_about_the_seam()[0]
    mosaic = make_mosaic([tile], 2)
    place = Point(x=tile.left + 555, y=tile.top - 555, crs=crs_of(f"EPSG:{tile.epsg}"))
    newest = max(source.folder.iterdir()).name
    source.switch(fault, newest)

    with pytest.raises(SourceUnavailable) as raised:
        mosaic.read_point("RED", indexes=[1], point=place)
    other = mosaic.read_point("RED", indexes=[0], point=place)

    assert isinstance(raised.value, DateUnreadable) is is_of_date
    assert other.valid.all()


def test_times_of_an_area_are_requested_together(source, make_mosaic):
    tile = tiles_about_the_seam()[0]
    mosaic = make_mosaic([tile], DAYS)
    grid = mosaic.info.variables["RED"].grid
    row, column = grid.cell_at(
        *transformer(crs_of(f"EPSG:{tile.epsg}"), grid.crs).transform(tile.left + 555, tile.top - 555)
    )
    window = Window(row, row + 4, column, column + 4)

    def read():
        return mosaic.read_block("RED", indexes=range(DAYS), window=window, along="space")

    block = read_while_held(source, read, DAYS)

    assert source.count() == DAYS
    assert len({plane.tobytes() for plane in block.numbers}) == DAYS


def test_headers_that_the_index_lacks_are_requested_together(source, make_mosaic):
    tile = tiles_about_the_seam()[0]
    mosaic = make_mosaic([tile], DAYS, has_headers=False)
    opened = source.count()  # one file gives the encoding of every file
    place = Point(x=tile.left + 555, y=tile.top - 555, crs=crs_of(f"EPSG:{tile.epsg}"))

    series = read_while_held(source, lambda: mosaic.read_point("RED", indexes=range(DAYS), point=place), DAYS)

    assert source.count() == opened + 2 * DAYS  # a header of each file, as the index keeps none, and a block
    assert len(np.unique(series.numbers)) == DAYS


def test_long_series_requests_each_time_once(source, make_mosaic, monkeypatch):
    monkeypatch.setattr(places, "TIMES_AHEAD", 2)
    tile = tiles_about_the_seam()[0]
    mosaic = make_mosaic([tile], DAYS)
    place = Point(x=tile.left + 555, y=tile.top - 555, crs=crs_of(f"EPSG:{tile.epsg}"))

    series = read_while_held(source, lambda: mosaic.read_point("RED", indexes=range(DAYS), point=place), 4)

    assert source.count() == DAYS
    assert len(np.unique(series.numbers)) == DAYS
