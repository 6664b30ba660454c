"""`python -m benchmarks.suites.cold_tiles CONFIG LAYER SOURCE`: first touches of tiles, in a separate process."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import rasterio
import zarr
from pyproj import Transformer

from benchmarks.cold import drop_cached, fetched
from benchmarks.data.cog import EPSG, NORTH, RESOLUTION_M, WEST
from benchmarks.places import Tile
from benchmarks.suites.in_process import ZOOM, FirstTouches, Place, our_way, spread_places
from chronotile.app.process_setup import keep_freed_memory

BLOCK = 512


def main() -> None:
    """Print milliseconds a tile, bytes requested, bytes read from storage and bytes of the blocks needed."""
    config, layer, source = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    keep_freed_memory()
    needed_bytes = bytes_of_blocks(source, blocks_of(spread_places()))
    way = our_way(config, layer)
    # Everything that is done once for all tiles.
    way(spread_places()[-1][0] - 3, spread_places()[-1][1] + 3)
    drop_cached([source])
    before = fetched()
    taken = []
    for place in spread_places():
        started = time.perf_counter()
        way(*place)
        taken.append((time.perf_counter() - started) * 1000)
    after = fetched()
    requested, read = after.requested - before.requested, after.from_storage - before.from_storage
    print(json.dumps(asdict(FirstTouches(taken, requested, read, needed_bytes))))


def blocks_of(places: list[Place]) -> set[tuple[int, int]]:
    """Return row and column of the blocks of native resolution that tiles touch."""
    to_utm = Transformer.from_crs("EPSG:3857", f"EPSG:{EPSG}", always_xy=True)
    found = set()
    for column, row in places:
        left, bottom, right, top = to_utm.transform_bounds(*Tile(ZOOM, column, row).bbox)
        columns = range(int((left - WEST) / RESOLUTION_M) // BLOCK, int((right - WEST) / RESOLUTION_M) // BLOCK + 1)
        rows = range(int((NORTH - top) / RESOLUTION_M) // BLOCK, int((NORTH - bottom) / RESOLUTION_M) // BLOCK + 1)
        found |= {(down, across) for down in rows for across in columns}
    return found


def bytes_of_blocks(source: Path, blocks: set[tuple[int, int]]) -> int:
    """Return the sizes of blocks in a COG; for a cube, whose shards do not list them, the mean size."""
    if source.is_dir():
        folder = next(each for each in (source / "ndvi", source / "0" / "ndvi") if each.exists())  # format 2, format 1
        array = zarr.open_array(folder, mode="r")
        stored = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        across = -(-np.array(array.shape[1:]) // BLOCK)
        return int(stored / across.prod() * len(blocks))
    with rasterio.open(source) as dataset:
        sizes = (dataset.get_tag_item(f"BLOCK_SIZE_{across}_{down}", "TIFF", bidx=1) for down, across in blocks)
        return sum(int(size) for size in sizes if size)


if __name__ == "__main__":
    main()
