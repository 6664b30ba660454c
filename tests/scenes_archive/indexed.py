"""The archive as a configured collection with its index, opened and served in this process."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from chronotile.archive.open import Archive, open_archive
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.items import IndexSettings, Item
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.items import item_of
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import Plan, Scene

VARIABLES = """
      RED: {asset: B04}
      NIR: {asset: B08}
      SCL: {asset: SCL}
      CELL: {asset: CELL}
      NDVI: {formula: "(NIR - RED) / (NIR + RED)", mask: {variable: SCL, keep: [4, 5, 6]}}
"""
LATTICE = 'grid: {crs: "EPSG:3035", resolution: 20}'
"""A grid for `more`, with cells twice as wide as those of the bands."""
CONFIGURATION = """
collections:
  scenes:
    source: {{kind: stac, href: '{href}'}}
    time: {{group: solar_day}}
    mosaic: {{rule: {rule}, {order}}}
    {more}
    variables: {variables}
"""


@dataclass(frozen=True)
class IndexedScenes:
    """A plan's scenes in a separate index, with a configuration."""

    plan: Plan
    folder: Path
    """Folder of the configuration and the index."""

    @property
    def configuration(self) -> Path:
        return self.folder / "chronotile.yaml"

    @property
    def open_index(self):
        return partial(open_items, None, self.folder / "jobs", archive="made")

    def configure(
        self,
        *,
        more: str = "",
        rule: str = "first",
        order: str = "order_by: eo:cloud_cover",
        variables: str = VARIABLES,
    ) -> None:
        """Write the configuration."""
        href = archive(self.plan) / "catalog.json"
        self.configuration.write_text(
            CONFIGURATION.format(href=href, more=more, rule=rule, order=order, variables=variables)
        )

    def put(self, scenes: Iterable[Scene], **edits: object) -> None:
        """Add scenes, or replace existing ones, with edited documents."""
        index = self.open_index()
        index.put("scenes", [self.item(scene, **edits) for scene in scenes])
        index.close()

    def remove(self, scenes: Iterable[Scene]) -> None:
        index = self.open_index()
        index.remove("scenes", [scene.id for scene in scenes])
        index.close()

    def item(self, scene: Scene, *, properties: dict | None = None, folder: Path | None = None) -> Item:
        """Return the item of a scene; its files are in the archive's folder, or in another."""
        document = documents.item(scene, lambda path: str((folder or archive(self.plan)) / path))
        document["properties"] |= properties or {}
        return item_of(json.loads(json.dumps(document, default=float)), str(self.configuration))

    def opened(self) -> Archive:
        """Return the archive as the server opens it; who opens it closes the index of its caches."""
        places = AllowedPlaces((str(self.folder),), setting="CHRONOTILE_SOURCE_PREFIXES")
        caches = ReaderCaches(items=self.open_index, places=places)
        return open_archive(
            self.configuration, environment={}, clock=lambda: np.datetime64("2023-01-01", "ns"), caches=caches
        )


def indexed(made: Plan, folder: Path, *, scenes: Iterable[Scene] | None = None, **keys: str) -> IndexedScenes:
    """Index scenes of a plan, all by default, in an empty folder; `keys` as of `configure`."""
    found = IndexedScenes(made, folder)
    found.configure(**keys)
    index = found.open_index()
    is_latest = keys.get("rule") == "latest"
    order_by = "datetime" if is_latest else "eo:cloud_cover"
    index.configure("scenes", IndexSettings(group="solar_day", order_by=order_by, is_descending=is_latest))
    index.close()
    found.put(made.all_scenes() if scenes is None else scenes)
    return found
