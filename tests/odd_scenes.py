"""Scenes as in archives: files that differ in given properties, with items that state given metadata."""

from contextlib import closing, contextmanager

import numpy as np
import rasterio
from affine import Affine
from pyproj import Transformer
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.upkeep import Upkeep
from chronotile.archive.live_archive import LiveArchive
from chronotile.archive.open import open_archive
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.items import IndexSettings
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.items import item_of

SIDE = 128
NUMBERS = (np.arange(SIDE * SIDE).reshape(SIDE, SIDE) * 7 % 200 + 1).astype("uint8")


class OddScenes:
    """A collection `s` of files and items in a folder, its index and its configuration."""

    def __init__(self, folder, *, variables="{B: {asset: B, layer: B}}", rule="first", more=""):
        self.folder = folder
        self.settings = IndexSettings()
        source = f"source: {{kind: stac, href: '{folder}/catalog.json'}}"
        self.place = folder / "chronotile.yaml"
        self.place.write_text(
            f"collections: {{s: {{{source}, mosaic: {{rule: {rule}{more}}}, variables: {variables}}}}}\n"
        )

    def index(self):
        return open_items(None, self.folder / "index", archive="made")

    def write(self, name, numbers=NUMBERS, *, left=500_000, top=5_600_000, size=10, crs="EPSG:32631", **tags):
        """Write a file and return its path; `tags` are of rasterio's profile, or scale, offset and units."""
        path = self.folder / f"{name}.tif"
        said = {key: tags.pop(key) for key in ("scale", "offset", "units") if key in tags}
        height, width = numbers.shape
        profile = {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
        shape = {"width": width, "height": height, "count": 1, "dtype": numbers.dtype}
        transform = Affine(size, 0, left, 0, -size, top)
        with rasterio.open(path, "w", **profile, **shape, crs=crs, transform=transform, **tags) as file:
            file.write(numbers, 1)
            file.scales, file.offsets = (said.get("scale", 1.0),), (said.get("offset", 0.0),)
            file.units = (said.get("units", ""),)
        return path

    def document(self, name, paths, *, day=1, band=None):
        """Return the item of files, by asset; `band` is the stated metadata of their only band."""
        (path, *_others) = paths.values()
        with rasterio.open(path) as file:
            left, bottom, right, top = file.bounds
            to_degrees = Transformer.from_crs(file.crs, "OGC:CRS84", always_xy=True)
            x, y = to_degrees.transform([left, right, right, left, left], [bottom, bottom, top, top, bottom])
        ring = [[float(east), float(north)] for east, north in zip(x, y, strict=True)]
        bands = {} if band is None else {"raster:bands": [band]}
        return {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": name,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "bbox": [float(each) for each in (min(x), min(y), max(x), max(y))],
            "properties": {"datetime": f"2024-01-{day:02}T10:00:00Z"},
            "links": [],
            "assets": {asset: {"href": str(path), **_projection(path), **bands} for asset, path in paths.items()},
        }

    def put(self, *documents):
        """Put items into the index."""
        with closing(self.index()) as index:
            index.configure("s", self.settings)
            index.put("s", [item_of(each, f"{self.folder}/catalog.json") for each in documents])

    @contextmanager
    def served(self):
        """A client of a server that follows the index."""
        with closing(self.index()) as index:
            caches = ReaderCaches(
                items=lambda: index, places=AllowedPlaces((str(self.folder),), setting="CHRONOTILE_SOURCE_PREFIXES")
            )
            archive = open_archive(
                self.place, environment={}, clock=lambda: np.datetime64("2025-01-01", "ns"), caches=caches
            )
            upkeep = Upkeep(LiveArchive(archive, self.place), watch_s=0)
            with closing(archive), TestClient(application(archive.services, ServerOptions(upkeep=upkeep))) as client:
                yield client


def _projection(path):
    with rasterio.open(path) as file:
        return {
            "proj:code": file.crs.to_string(),
            "proj:shape": list(file.shape),
            "proj:transform": list(file.transform)[:6],
        }


def place_of_cell(row, column, *, left=500_000, top=5_600_000, size=10, crs="EPSG:32631"):
    """Longitude and latitude of the centre of a cell of a file."""
    to_degrees = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    return to_degrees.transform(left + (column + 0.5) * size, top - (row + 0.5) * size)


def box_around(longitude, latitude, half=5e-6):
    """Return a bbox of a request of less than a cell around a place."""
    return f"{longitude - half},{latitude - half},{longitude + half},{latitude + half}"
