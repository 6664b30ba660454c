from functools import partial

import pytest

from chronotile.core.model.items import IndexSettings, Mosaic
from chronotile.core.model.source import ItemsSpec, SourceSpec, VariableSpec
from chronotile.readers.mosaic.kind import open_asset
from chronotile.readers.mosaic.source import open_mosaic
from chronotile.readers.reader_caches import ReaderCaches
from tests.readers.mosaic.brute_index import BruteIndex
from tests.readers.mosaic.tiles import item_of, tiles_about_the_seam, write_tile

COLLECTION = "s2"


@pytest.fixture(scope="session")
def seam_tiles(tmp_path_factory):
    """Paths of two dates of all tiles, by tile and day."""
    folder = tmp_path_factory.mktemp("tiles")
    return {(tile, day): write_tile(folder, tile, day=day) for tile in tiles_about_the_seam() for day in (0, 1)}


@pytest.fixture
def index(seam_tiles):
    index = BruteIndex()
    index.settings_of[COLLECTION] = IndexSettings(group="solar_day")
    for number, ((tile, day), path) in enumerate(seam_tiles.items()):
        start = f"2024-06-0{day + 1}T10:5{number % 10}:00"
        index.put(COLLECTION, item_of(tile, {"B04": path}, start=start, suffix=f"_{day}"))
    return index


@pytest.fixture
def open_items():
    def open_items(index, *, mosaic=None, grid=None, variables=None):
        spec = SourceSpec(
            collection=COLLECTION,
            kind="stac",
            href="/catalogue.json",
            variables=variables or {"RED": VariableSpec(id="RED", asset="B04")},
            items=ItemsSpec(settings=index.settings(COLLECTION), mosaic=mosaic or Mosaic(), grid=grid),
        )
        return open_mosaic(spec, index, partial(open_asset, spec, ReaderCaches()))

    return open_items
