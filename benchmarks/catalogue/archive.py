"""A served archive of synthetic items."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from benchmarks.made_items import ARCHIVE, COLLECTION, DATES, FIRST, STEP_H, MadeIndex, scene
from benchmarks.peers.server import Server, running
from benchmarks.soak.archive import chronotile
from chronotile.core.model.items import Asset, AssetBand
from chronotile.core.model.space.grid import NativeGrid

BAND = "B04"
SIDE = 64
CONFIGURATION = f"""
service: {{{{id: {ARCHIVE}}}}}
collections:
  {COLLECTION}:
    source: {{{{kind: stac, href: '{{folder}}/catalog.json'}}}}
    time: {{{{group: solar_day}}}}
    mosaic: {{{{order_by: 'eo:cloud_cover'}}}}
    variables: {{{{{BAND}: {{{{layer: RED, styles: [greys]}}}}}}}}
"""
LATEST = "latest"
"""Id of the only item with a file: a layer opens the file of the newest item."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An index of made items with its configuration."""

    made: MadeIndex
    configuration: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables that a server of it needs."""
        url = self.made.postgresql
        return {
            "CHRONOTILE_JOBS_DIR": str(self.made.folder),
            "XDG_CACHE_HOME": str(self.made.folder / "cache"),
            **({} if url is None else {"CHRONOTILE_DATABASE_URL": url}),
        }


def make_archive(made: MadeIndex) -> Archive:
    """Return the archive; make index and file if they are missing."""
    made.folder.mkdir(parents=True, exist_ok=True)
    made.fill()
    file = made.folder / "latest.tif"
    transform = Affine(1700, 0, 400_000, 0, -1700, 5_000_000)
    grid = {"crs": "EPSG:32631", "transform": transform, "width": SIDE, "height": SIDE}
    with rasterio.open(file, "w", driver="GTiff", count=1, dtype="uint16", nodata=0, **grid) as raster:
        raster.write(np.full((SIDE, SIDE), 3000, np.uint16), 1)
    item = scene(0, DATES, made.places)
    known = next(each for each in item.assets if each.name == BAND)
    own = NativeGrid(crs=known.grid.crs, transform=transform, width=SIDE, height=SIDE) if known.grid else None
    asset = Asset(name=BAND, href=str(file), grid=own, bands=(AssetBand(dtype="uint16", nodata=0.0, scale=1e-4),))
    after = FIRST + np.timedelta64(DATES * STEP_H, "h")
    index = made.open()
    index.put(COLLECTION, [replace(item, id=LATEST, start=after, end=after + np.timedelta64(1, "ns"), assets=(asset,))])
    index.close()
    configuration = made.folder / "chronotile.yaml"
    # This catalogue does not exist: the server warns of it, and serves the content of the index.
    configuration.write_text(CONFIGURATION.format(folder=made.folder))
    return Archive(made, configuration)


@contextmanager
def served(archive: Archive, scratch: Path, *, workers: int = 1) -> Iterator[int]:
    """Give the port of a server of some workers."""

    def commands(port: int) -> list[list[str]]:
        options = ("--port", str(port), "--workers", str(workers))
        return [[*chronotile(), "serve", str(archive.configuration), *options]]

    server = Server(commands=commands, probe="/health/ready", environment=archive.environment)
    with running("chronotile", server, scratch) as port:
        yield port
