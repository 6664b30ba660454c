"""Remote mosaics: overviews made in the background, and pictures before they exist."""

from functools import partial

import numpy as np
import pytest

from chronotile.core.errors import TooManyPieces
from chronotile.core.model.items import IndexSettings, Mosaic
from chronotile.core.model.source import ItemsSpec, SourceSpec, VariableSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.readers.mosaic import overviews
from chronotile.readers.mosaic import overviews as overview_blocks
from chronotile.readers.mosaic.kind import open_asset
from chronotile.readers.mosaic.overview_files import OverviewFiles
from chronotile.readers.mosaic.parts import FarAway
from chronotile.readers.mosaic.source import open_mosaic
from chronotile.readers.mosaic_reader import PROVISIONAL
from chronotile.readers.reader_caches import ReaderCaches
from tests.readers.mosaic.brute_index import BruteIndex
from tests.readers.mosaic.tiles import SIDE, SIZE, Tile, item_of, write_tile

COLLECTION = "many"
ACROSS = 8
"""Tiles along a side."""


@pytest.fixture(scope="module")
def field_of_tiles(tmp_path_factory):
    """Return adjacent tiles, each with one number in all cells: 1 to 64."""
    folder = tmp_path_factory.mktemp("many")
    tiles = {}
    for number in range(ACROSS**2):
        row, column = divmod(number, ACROSS)
        tile = Tile(f"t{number:02}", 32631, 500_000 + column * SIDE * SIZE, 5_600_000 - row * SIDE * SIZE)
        numbers = np.full((SIDE, SIDE), number + 1, dtype="uint16")
        tiles[tile] = write_tile(folder, tile, numbers=numbers)
    return tiles


@pytest.fixture
def index(field_of_tiles):
    index = BruteIndex()
    index.settings_of[COLLECTION] = IndexSettings(group="solar_day")
    for tile, path in field_of_tiles.items():
        index.put(COLLECTION, item_of(tile, {"B04": path}, start="2024-06-01T10:50:00"))
    return index


@pytest.fixture
def files(tmp_path):
    return OverviewFiles(tmp_path / "overviews", 1 << 24)


@pytest.fixture
def open_many(index, files):
    def open_many(into=files, **mosaic):
        spec = SourceSpec(
            collection=COLLECTION,
            kind="stac",
            href="/",
            variables={"RED": VariableSpec(id="RED", asset="B04")},
            items=ItemsSpec(settings=index.settings(COLLECTION), mosaic=Mosaic(**mosaic)),
        )
        caches = ReaderCaches()
        return open_mosaic(spec, index, partial(open_asset, spec, caches), far=FarAway(into, caches.files))

    return open_many


def whole(pixels):
    """Return all tiles as a picture of so many pixels along a side."""
    end = ACROSS * SIDE * SIZE
    box = BBox(500_000, 5_600_000 - end, 500_000 + end, 5_600_000)
    return Grid(crs=crs_of("EPSG:32631"), bbox=box, width=pixels, height=pixels)


def make_all(files):
    while files.waiting:
        assert files.make_next()


def expected(pixels):
    row, column = np.divmod(np.arange(pixels**2).reshape(pixels, pixels), pixels)
    side = pixels // ACROSS
    return row // side * ACROSS + column // side + 1


def test_picture_of_many_items_is_drawn_from_existing_overviews(open_many, files):
    reader = open_many(max_pieces=64)

    before = reader.compose("RED", index=0, grid=whole(48))
    state = reader.picture_inputs("RED", 0, whole(48))
    make_all(files)
    opened = []
    reader._parts.scenes.open = lambda *given: opened.append(given)
    after = reader.compose("RED", index=0, grid=whole(48))

    assert (state, reader.picture_inputs("RED", 0, whole(48))) == (PROVISIONAL, "overviews")
    assert not opened
    assert (before.numbers == expected(48)).all()
    assert (after.numbers == expected(48)).all()
    assert (after.codes.numbers == 0).all()


@pytest.fixture
def hills(index, field_of_tiles, tmp_path):
    """The same tiles with other numbers in each cell, and a hole in each."""
    rng = np.random.default_rng(20)
    for tile in field_of_tiles:
        numbers = rng.integers(1, 60_000, (SIDE, SIDE)).astype("uint16")
        numbers[30:70, 10:90] = 0
        path = write_tile(tmp_path / "hills", tile, numbers=numbers)
        index.put(COLLECTION, item_of(tile, {"B04": path}, start="2024-06-01T10:50:00"))


@pytest.mark.usefixtures("hills")
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("pixel_m", [160, 230, 500, 1000])
def test_pictures_across_blocks_equal_those_of_one_block(resampling, pixel_m, open_many, tmp_path, monkeypatch):
    corner, half = (500_000 + 5_120, 5_600_000 - 5_120), 8 * pixel_m  # the corner of four blocks
    box = BBox(corner[0] - half, corner[1] - half + 37, corner[0] + half, corner[1] + half + 37)
    grid = Grid(crs=crs_of("EPSG:32631"), bbox=box, width=16, height=16)

    def composed(name, side):
        for module in (overview_blocks, overviews):
            monkeypatch.setattr(module, "BLOCK_SIDE", side)
        files = OverviewFiles(tmp_path / name, 1 << 24)
        reader = open_many(files)
        while (found := reader._overviews.compose(reader.info.variables["RED"], 0, grid, resampling)) is None:
            make_all(files)
        return found

    parts, whole = composed("parts", 32), composed("whole", 2048)

    assert (parts.codes.numbers == whole.codes.numbers).all()
    has_value = whole.codes.numbers == 0
    assert has_value.any()
    assert (parts.numbers[has_value] == whole.numbers[has_value]).all()


@pytest.mark.parametrize("too_many", ["footprints", "refuse"])
def test_limit_of_opened_items_is_exact(too_many, open_many):
    shown = open_many(max_pieces=64, too_many=too_many).compose("RED", index=0, grid=whole(48))

    assert (shown.numbers == expected(48)).all()
    with pytest.raises(TooManyPieces, match="max_pieces: at most 63, 64 requested") as refused:
        open_many(max_pieces=63, too_many=too_many).compose("RED", index=0, grid=whole(48))
    assert refused.value.may_be_outlined == (too_many == "footprints")
    assert len(refused.value.boxes) == 64


def test_too_many_items_are_refused_without_overviews(open_many, files):
    reader = open_many(max_pieces=20, too_many="refuse")

    with pytest.raises(TooManyPieces, match="max_pieces: at most 20, 64 requested") as refused:
        reader.compose("RED", index=0, grid=whole(48))
    make_all(files)

    assert not refused.value.may_be_outlined
    assert (reader.compose("RED", index=0, grid=whole(48)).numbers == expected(48)).all()


def test_a_changed_item_is_in_the_next_overview(open_many, files, index, field_of_tiles, tmp_path):
    reader = open_many()
    reader.compose("RED", index=0, grid=whole(48))
    make_all(files)
    tile = next(iter(field_of_tiles))
    path = write_tile(tmp_path, tile, numbers=np.full((SIDE, SIDE), 777, dtype="uint16"))
    index.put(COLLECTION, item_of(tile, {"B04": path}, start="2024-06-01T10:50:00"))

    assert reader.picture_inputs("RED", 0, whole(48)) == PROVISIONAL
    assert reader.compose("RED", index=0, grid=whole(48)).numbers[0, 0] == 777
    make_all(files)
    assert reader.picture_inputs("RED", 0, whole(48)) == "overviews"
    assert reader.compose("RED", index=0, grid=whole(48)).numbers[0, 0] == 777


def test_an_item_without_the_asset_is_empty_in_overviews(open_many, files, index, field_of_tiles):
    tile, path = next(iter(field_of_tiles.items()))
    index.put(COLLECTION, item_of(tile, {"B08": path}, start="2024-06-01T10:50:00"))
    reader = open_many()
    reader.compose("RED", index=0, grid=whole(48))
    make_all(files)

    pixels = reader.compose("RED", index=0, grid=whole(48))

    assert reader.picture_inputs("RED", 0, whole(48)) == "overviews"
    assert np.array_equal(pixels.codes.numbers == 0, expected(48) != 1)


def test_a_damaged_overview_is_made_again(open_many, files, tmp_path):
    reader = open_many()
    reader.compose("RED", index=0, grid=whole(48))
    make_all(files)
    (stored,) = (tmp_path / "overviews").glob("*.mosaic")
    stored.write_bytes(stored.read_bytes()[:1000])

    pixels = reader.compose("RED", index=0, grid=whole(48))
    reader.compose("RED", index=0, grid=whole(48))
    make_all(files)

    assert (pixels.numbers == expected(48)).all()
    assert reader.picture_inputs("RED", 0, whole(48)) == "overviews"


def test_a_place_without_items_is_empty_in_overviews(open_many, files):
    reader = open_many()
    box = whole(48).bbox
    wide = Grid(crs=crs_of("EPSG:32631"), bbox=box._replace(xmax=box.xmax + box.xmax - box.xmin), width=96, height=48)
    reader.compose("RED", index=0, grid=wide)
    make_all(files)

    pixels = reader.compose("RED", index=0, grid=wide)

    assert reader.picture_inputs("RED", 0, wide) == "overviews"
    assert (pixels.numbers[:, :48] == expected(48)).all()
    assert (pixels.codes.numbers[:, 48:] != 0).all()


def test_no_overview_is_made_while_an_item_cannot_be_read(open_many, files, field_of_tiles):
    reader = open_many()
    path = next(iter(field_of_tiles.values()))
    content = path.read_bytes()
    try:
        path.write_bytes(content[:200])
        reader.compose("RED", index=0, grid=whole(48))
        make_all(files)
        assert reader.picture_inputs("RED", 0, whole(48)) == PROVISIONAL
    finally:
        path.write_bytes(content)

    open_many().compose("RED", index=0, grid=whole(48))
    make_all(files)
    assert (open_many().compose("RED", index=0, grid=whole(48)).numbers == expected(48)).all()
