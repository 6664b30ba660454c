"""`python -m benchmarks.mosaics FOLDER`: warm tiles of overlapping files, compared with a single file and rio-tiler.

Three files cross each tile, at three zooms; for the median ten files overlap. Processor time in this process,
and time over HTTP of a server that caches no encoded answers; variants alternate, medians are printed.
"""

import argparse
import http.client
import math
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from rio_tiler.mosaic import mosaic_reader

from benchmarks.hanging_host import serving
from chronotile.archive.archive_ids import archive_id
from chronotile.archive.open import open_archive
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.items import Asset, IndexSettings, Item
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.core.model.time.instants import ONE_NS, system_clock
from chronotile.readers.mosaic_reader import as_mosaic
from chronotile.readers.reader import Reader as SourceReader
from chronotile.readers.reader_caches import ReaderCaches

EPSG, LEFT, TOP, RESOLUTION = 32631, 500_000, 5_700_000, 10
START = np.datetime64("2024-06-01T10:50:00", "ns")
HALF_WORLD = 20037508.342789244
ZOOMS = (13, 11, 9)
CONFIGURATION = """
collections:
  three:
    source: {{kind: stac, href: three.json}}
    variables: {{B04: {{layer: THREE, range: [0, 5000], styles: [greys]}}}}
  ten:
    source: {{kind: stac, href: ten.json}}
    mosaic: {{rule: median}}
    variables: {{B04: {{layer: TEN, range: [0, 5000], styles: [greys]}}}}
  one:
    source: {{kind: cog, href: {one}}}
    variables: {{B04: {{layer: ONE, range: [0, 5000], styles: [greys]}}}}
"""


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=10_980)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    folder: Path = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    three = [_write(folder / f"three{n}.tif", given.side, shift, n) for n, shift in enumerate(_shifts(given.side))]
    ten = [_write(folder / f"ten{n}.tif", given.side // 4, 3 * given.side // 8, n) for n in range(10)]
    configuration = _configure(folder, three, ten)
    print("| tile of 256², warm | zoom | ms of processor |\n| --- | --- | --- |")
    _in_process(configuration, three, given.rounds, given.side)
    print("\n| over HTTP | zoom | ms | of a single file's |\n| --- | --- | --- | --- |")
    _over_http(configuration, folder, given.rounds, given.side)


def _shifts(side: int) -> tuple[int, int, int]:
    """Offset in cells of three files to the east: a tile in the middle lies on the edges of two of them."""
    tile = 490  # cells of a tile of zoom 13, about
    return -side // 2 - tile // 6, 0, side // 2 + tile // 6


def _write(path: Path, side: int, shift: int, seed: int) -> Path:
    """Write noisy hills as a COG, in whose middle third of columns the second file alone has numbers."""
    if path.exists():
        return path
    rng = np.random.default_rng(seed)
    columns, rows = np.arange(side) / 97, np.arange(side) / 89
    hills = 3000 + 1000 * np.sin(rows)[:, np.newaxis] * np.cos(columns) + rng.normal(0, 60, (side, side))
    profile = {"count": 1, "dtype": "uint16", "crs": f"EPSG:{EPSG}", "nodata": 0, "width": side, "height": side}
    transform = Affine(RESOLUTION, 0, LEFT + shift * RESOLUTION, 0, -RESOLUTION, TOP)
    plain = path.with_suffix(".plain.tif")
    with rasterio.open(plain, "w", driver="GTiff", tiled=True, transform=transform, **profile) as file:
        file.write(hills.astype("uint16"), 1)
        file.build_overviews([2, 4, 8, 16, 32], Resampling.average)
    with rasterio.open(plain) as file:
        rasterio.shutil.copy(file, path, driver="COG", COMPRESS="DEFLATE", PREDICTOR=2, BLOCKSIZE=512)
    plain.unlink()
    return path


def _configure(folder: Path, three: list[Path], ten: list[Path]) -> Path:
    file = folder / "chronotile.yaml"
    file.write_text(CONFIGURATION.format(one=three[1]))
    index = open_items(None, folder / "jobs", archive=archive_id(folder / "chronotile.yaml", None))
    for name, paths in (("three", three), ("ten", ten)):
        index.configure(name, IndexSettings(group="solar_day"))
        index.put(name, map(_item, paths))
    index.close()
    return file


def _item(path: Path) -> Item:
    with rasterio.open(path) as file:
        grid = NativeGrid(crs=crs_of(f"EPSG:{EPSG}"), transform=file.transform, width=file.width, height=file.height)
    box = grid.bbox_in(crs_of("CRS84"))
    ring = (
        (box.xmin, box.ymin),
        (box.xmax, box.ymin),
        (box.xmax, box.ymax),
        (box.xmin, box.ymax),
        (box.xmin, box.ymin),
    )
    asset = Asset(name="B04", href=str(path), grid=grid)
    return Item(id=path.stem, footprint=(ring,), bbox=box, start=START, end=START + ONE_NS, assets=(asset,))


def _address(zoom: int, side: int) -> tuple[int, int]:
    """Column and row of the tile in the middle of all files, whose edges two of them have."""
    middle = LEFT + side / 2 * RESOLUTION, TOP - side / 8 * RESOLUTION
    longitude, latitude = pyproj.Transformer.from_crs(EPSG, "OGC:CRS84", always_xy=True).transform(*middle)
    count = 2**zoom
    row = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * count
    return int((longitude + 180) / 360 * count), int(row)


def _grid(zoom: int, side: int) -> Grid:
    column, row = _address(zoom, side)
    size = 2 * HALF_WORLD / 2**zoom
    left, top = -HALF_WORLD + column * size, HALF_WORLD - row * size
    box = BBox(left, top - size, left + size, top)
    return Grid(crs=crs_of("EPSG:3857"), bbox=box, width=256, height=256)


def _in_process(configuration: Path, three: list[Path], rounds: int, side: int) -> None:
    folder = configuration.parent
    index = open_items(None, folder / "jobs", archive=archive_id(folder / "chronotile.yaml", None))
    caches = ReaderCaches(1 << 30, items=lambda: index)
    archive = open_archive(configuration, environment=os.environ, clock=system_clock, caches=caches)
    readers = archive.services.readers
    for zoom in ZOOMS:
        grid, (column, row) = _grid(zoom, side), _address(zoom, side)
        ways: dict[str, Callable[[], object]] = {
            "one file": partial(_composed, readers["one"], grid),
            "three files, first": partial(_composed, readers["three"], grid),
            "ten files, median": partial(_composed, readers["ten"], grid),
            "rio-tiler, three files": partial(
                mosaic_reader, [str(path) for path in three], _rio_tile, column, row, zoom
            ),
        }
        for name, milliseconds in _taken(ways, rounds).items():
            print(f"| {name} | {zoom} | {milliseconds:.2f} |")


def _composed(reader: SourceReader, grid: Grid) -> object:
    return as_mosaic(reader).compose("B04", index=0, grid=grid)


def _rio_tile(path: str, column: int, row: int, zoom: int) -> ImageData:
    with Reader(path) as reader:
        found: ImageData = reader.tile(column, row, zoom)
    return found


def _taken(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of processor time of each way, which take turns."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 3):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            if number >= 3:
                taken[name].append((time.process_time() - begun) * 1000)
    return {name: statistics.median(each) for name, each in taken.items()}


def _over_http(configuration: Path, folder: Path, rounds: int, side: int) -> None:
    with serving(configuration, _environment(folder)) as (port, _process):
        for zoom in ZOOMS:
            column, row = _address(zoom, side)
            taken: dict[str, list[float]] = {"ONE": [], "THREE": []}
            connection = http.client.HTTPConnection("127.0.0.1", port)
            for number in range(rounds + 3):
                for layer, own in taken.items():
                    begun = time.perf_counter()
                    connection.request("GET", f"/tiles/{layer}/WebMercatorQuad/{zoom}/{column}/{row}.png?_={number}")
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 200, answer.status
                    if number >= 3:
                        own.append((time.perf_counter() - begun) * 1000)
            one, many = (statistics.median(taken[layer]) for layer in ("ONE", "THREE"))
            print(f"| one file | {zoom} | {one:.2f} | |\n| three files | {zoom} | {many:.2f} | {many / one:.2f} |")


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"CHRONOTILE_JOBS_DIR": str(folder / "jobs"), "CHRONOTILE_PAYLOAD_BYTES": "0"}


if __name__ == "__main__":
    main()
