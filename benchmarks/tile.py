"""One 256 px tile in-process: request to PNG bytes, beside rio-tiler's read and render of the same tile.

Distinct tiles at native zoom (14), files warm. The ways take turns, a row of 20 tiles each, so that what else the
machine does meets all alike, while each finds the processor's caches as a server that makes tiles would.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rio_tiler.colormap import cmap
from rio_tiler.io import Reader

from chronotile.ingest.archive import open_archive
from chronotile.model.request import MapRequest
from chronotile.pipeline.render_map import render_map
from chronotile.pipeline.services import make_caches
from chronotile.process import keep_freed_memory

ZOOM = 14
FIRST_COLUMN, FIRST_ROW = 8370, 5480
COLUMNS, TILES = 20, 300

CONFIGURATION = """
collections:
  zarr:
    source: {kind: zarr, href: ndvi.zarr}
    variables: {NDVI: {name: ndvi, layer: NDVI_ZARR, styles: [ndvi]}}
  cog:
    source: {kind: cog, href: "ndvi_*.tif", time_pattern: '_(?P<time>\\d{8})'}
    variables: {NDVI: {layer: NDVI_COG, scale: 0.004, offset: -0.08, styles: [ndvi]}}
"""


@dataclass(frozen=True)
class Result:
    """Times of one way to make a tile."""

    name: str
    milliseconds: list[float]
    bytes: int

    @property
    def median(self) -> float:
        """Milliseconds."""
        return statistics.median(self.milliseconds)

    def percentile(self, share: float) -> float:
        """Milliseconds that this share of the tiles stays below."""
        return float(np.percentile(self.milliseconds, share))


def run(folder: Path) -> list[Result]:
    """Return the times of every way, ours first."""
    keep_freed_memory()  # as the server does
    config = folder / "bench.yaml"
    config.write_text(CONFIGURATION)
    opened = open_archive(config, environment={}, clock=lambda: np.datetime64("now", "ns")).services
    services = replace(opened, caches=make_caches(payload_bytes=0, plan_bytes=0))
    quad = services.catalogue.tile_matrix_set("WebMercatorQuad")

    def ours(layer: str) -> Callable[[int, int], bytes]:
        def tile(column: int, row: int) -> bytes:
            grid = quad.tile_grid(quad.matrices[ZOOM], row=row, column=column)
            return render_map(MapRequest(layer=layer, grid=grid), services).body

        return tile

    with Reader(str(folder / "ndvi_20240601.tif")) as reader:
        ramp = cmap.get("viridis")

        def rio_tiler(column: int, row: int) -> bytes:
            image = reader.tile(column, row, ZOOM)
            image.rescale(in_range=((0, 250),))
            return bytes(image.render(img_format="PNG", colormap=ramp))

        ways = {"chronotile, Zarr": ours("NDVI_ZARR"), "chronotile, COG": ours("NDVI_COG"), "rio-tiler, COG": rio_tiler}
        return _timed_in_turn(ways)


def _timed_in_turn(ways: dict[str, Callable[[int, int], bytes]]) -> list[Result]:
    places = [(FIRST_COLUMN + number % COLUMNS, FIRST_ROW + number // COLUMNS) for number in range(TILES)]
    for way in ways.values():
        for place in places[::7]:  # the files into the page cache, the code into its own
            way(*place)
    times: dict[str, list[float]] = {name: [] for name in ways}
    sizes = dict.fromkeys(ways, 0)
    for start_of_row in range(0, TILES, COLUMNS):
        for name, way in ways.items():
            for place in places[start_of_row : start_of_row + COLUMNS]:
                start = time.perf_counter()
                body = way(*place)
                times[name].append((time.perf_counter() - start) * 1000)
                sizes[name] += len(body)
    return [Result(name, times[name], sizes[name] // len(places)) for name in ways]
