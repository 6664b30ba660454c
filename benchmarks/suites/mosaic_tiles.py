"""Tiles at overlapping scenes of two UTM zones, in-process: ours, rio-tiler's mosaics, odc-stac.

The scenes are synthetic (`tests/scenes_archive`). Before the timing, the values of each contender at the native zoom
are compared with the formula of the scenes.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from rio_tiler.mosaic import mosaic_reader

from benchmarks.figures import median
from benchmarks.findings import Findings, Row, Told
from benchmarks.peers import chronotile, odc_stac
from benchmarks.peers.ground import Ground
from benchmarks.suites.options import Options
from chronotile.app.process_setup import keep_freed_memory
from chronotile.archive.open import open_archive
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.raster import Raster
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.mosaic_reader import as_mosaic
from chronotile.readers.reader import Reader as SourceReader
from chronotile.readers.reader_caches import ReaderCaches
from tests.agreement.mosaics.shown import MERCATOR, NATIVE_ZOOM, tiles_of
from tests.agreement.scenes_served import TILE_PX, Tile
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive, path_of
from tests.scenes_archive.forms import Source
from tests.scenes_archive.plan import Plan, Scene, days_of
from tests.scenes_archive.serving import fill_index, write_configuration

OURS, RIO_TILER, ODC = "chronotile", "rio-tiler, mosaic_reader", "odc-stac, load"
BAND, NDVI = "CELL", "NDVI"
LEAST_SAME = 0.99
"""Share of the pixels that a way must have as the formula; GDAL's transformer is off by up to an eighth of a pixel."""
MOST_TILES = 12
LEAST_PIECES = 3
MADE = Plan(days=days_of(1), columns=2, rows=2, is_simultaneous=True)
"""Eight scenes of 1,098² pixels at one instant."""


@dataclass(frozen=True, slots=True)
class Case:
    """A layer and its tiles."""

    name: str
    layer: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A tile."""

    values: np.ndarray
    """(y, x), NaN for missing values."""
    processor_ms: float


Way = Callable[[Case, Tile], Drawn]


class OtherPixels(Exception):
    """A way shows others than the formula."""


def run(ground: Ground, options: Options) -> Findings:
    """Measure processor time."""
    keep_freed_memory()  # as the server does
    cases = _cases()
    findings = Findings(
        suite="mosaic-tiles",
        title=f"A 256 px tile of {LEAST_PIECES} or more overlapping scenes, in-process",
        about="Made COGs of two UTM zones (deflate, predictor 2, blocks of 256² and 512²), the files warm; processor "
        "milliseconds, from the request to the array of values, no encoding. "
        + "; ".join(f"{case.name}: {len(case.tiles)} tiles" for case in cases)
        + ".",
        ours=OURS,
    )
    with ExitStack() as stack:
        folder = archive(MADE)
        scenes = MADE.scenes(0)
        ways: dict[str, Way] = {OURS: _our_way(ground, folder, stack), RIO_TILER: _rio_tiler_way(folder, scenes)}
        software = odc_stac.software(ground)
        if software is None:
            findings.absent.append(f"{ODC}: not installed: sh benchmarks/peers/setup.sh")
        else:
            ways[ODC] = _odc_way(ground, folder, scenes, stack)
        same = _compare(ways, cases)
        for case in cases:
            able = {name: way for name, way in ways.items() if name != RIO_TILER or case.layer != NDVI}
            for name, rounds in _by_turns(able, case, options.rounds).items():
                findings.rows.append(Row(case=case.name, contender=name, unit="ms", rounds=rounds))
    findings.told.append(Told(OURS, chronotile.SOFTWARE, "reader of a mosaic, rule `first`", same[OURS]))
    findings.told.append(
        Told(RIO_TILER, f"rio-tiler {version('rio-tiler')}", "one thread, files opened each time", same[RIO_TILER])
    )
    if software is not None:
        findings.told.append(Told(ODC, software, odc_stac.SETTINGS_TEXT, same[ODC]))
    findings.notes.append("likeness: share of pixels equal to the formula, one band at the native zoom")
    return findings


def _cases() -> list[Case]:
    found = []
    for zoom in (NATIVE_ZOOM, NATIVE_ZOOM - 3):
        many = [(tile, _piece_count(tile)) for tile in tiles_of(MADE, zoom)]
        tiles = tuple(tile for tile, count in many if count >= LEAST_PIECES)[:MOST_TILES]
        found += [Case(f"one band, zoom {zoom}", BAND, tiles), Case(f"NDVI, zoom {zoom}", NDVI, tiles)]
    return found


def _piece_count(tile: Tile) -> int:
    pieces = MADE.mosaic(BAND, *tile.centres(), date=0, crs=MERCATOR).piece
    return len(np.unique(pieces[pieces >= 0]))


def _grid(tile: Tile) -> Grid:
    return Grid(crs=crs_of(MERCATOR), bbox=BBox(*tile.bbox), width=TILE_PX, height=TILE_PX)


def _our_way(ground: Ground, folder: Path, stack: ExitStack) -> Way:
    reader = stack.enter_context(closing(_Served(ground.scratch, folder))).reader

    def draw(case: Case, tile: Tile) -> Drawn:
        began = time.process_time()
        pixels = as_mosaic(reader).compose(case.layer, index=0, grid=_grid(tile))
        taken_s = time.process_time() - began
        raster = Raster(pixels.numbers, reader.info.variables[case.layer].encoding, pixels.valid)
        return Drawn(raster.values(), taken_s * 1000)

    return draw


class _Served:
    """The archive as ours reads it."""

    def __init__(self, scratch: Path, folder: Path) -> None:
        catalogue = documents.write_catalogue(scratch, MADE, lambda path: str(folder / path))
        source = Source("stac", str(catalogue), environment={"CHRONOTILE_SOURCE_PREFIXES": str(folder)})
        configuration = write_configuration(scratch, source)
        self._index: ItemIndex = open_items(None, scratch / "index")
        fill_index(configuration, self._index, source)
        places = AllowedPlaces([str(folder)], setting="CHRONOTILE_SOURCE_PREFIXES")
        self._opened = open_archive(
            configuration,
            environment=os.environ,
            clock=lambda: np.datetime64("now", "ns"),
            caches=ReaderCaches(1 << 30, items=lambda: self._index, places=places),
        )

    @property
    def reader(self) -> SourceReader:
        """Reader of the collection."""
        return self._opened.services.readers["cut"]

    def close(self) -> None:
        """End it."""
        self._opened.close()
        self._index.close()


def _rio_tiler_way(folder: Path, scenes: Sequence[Scene]) -> Way:
    def read(path: str, tile: Tile) -> ImageData:
        with Reader(path) as reader:
            found: ImageData = reader.tile(tile.x, tile.y, tile.z)
        return found

    def draw(case: Case, tile: Tile) -> Drawn:
        paths = [str(folder / path_of(scene, case.layer)) for scene in scenes]
        began = time.process_time()
        image, _used = mosaic_reader(paths, read, tile, threads=0)
        taken_s = time.process_time() - began
        return Drawn(image.array[0].astype(float).filled(np.nan), taken_s * 1000)

    return draw


def _odc_way(ground: Ground, folder: Path, scenes: Sequence[Scene], stack: ExitStack) -> Way:
    items = [documents.item(scene, lambda path: str(folder / path), version="1.0") for scene in scenes]
    loader = stack.enter_context(odc_stac.loading(ground, json.loads(json.dumps(items))))

    def draw(case: Case, tile: Tile) -> Drawn:
        is_ndvi = case.layer == NDVI
        loaded = loader.load(_grid(tile), ["B04", "B08"] if is_ndvi else [case.layer], is_ndvi=is_ndvi)
        values = loaded.array.astype(float)
        return Drawn(values if is_ndvi else np.where(values == 0, np.nan, values), loaded.processor_ms)

    return draw


def _compare(ways: dict[str, Way], cases: Sequence[Case]) -> dict[str, str]:
    """Return how many pixels of one band at the native zoom are right, by way.

    Raises:
        OtherPixels: Too many are not.
    """
    told = {}
    case = cases[0]
    expected = np.stack([MADE.mosaic(BAND, *tile.centres(), date=0, crs=MERCATOR).values for tile in case.tiles])
    for name, way in ways.items():
        shown = np.stack([way(case, tile).values for tile in case.tiles])
        same = float(np.isclose(shown, expected, equal_nan=True).mean())
        told[name] = f"{same:.3%}"
        if same < LEAST_SAME:
            raise OtherPixels(f"{name}: {same:.3%} of the pixels equal the formula")
    return told


def _by_turns(ways: dict[str, Way], case: Case, rounds: int) -> dict[str, list[float]]:
    """Return the median of the tiles of each round."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for tile in case.tiles:
            for name, way in ways.items():
                taken[name].append(way(case, tile).processor_ms)
        for name, each in taken.items():
            if number:  # the first makes plans and fills caches
                found[name].append(median(each))
    return found
