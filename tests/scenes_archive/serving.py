"""The served made archive: a configuration, a filled index, and a client."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.fill import FillSummary, IndexStore, fill
from chronotile.archive.index.sources import SourceAccess, indexed_collection, source_of, specs_of_items
from chronotile.archive.open import open_archive
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.web.places import AllowedPlaces
from chronotile.pipeline.services import Services
from chronotile.readers.reader_caches import ReaderCaches
from tests.scenes_archive.files import TIME_PATTERN, UNCUT, archive
from tests.scenes_archive.forms import Source
from tests.scenes_archive.plan import Plan

STYLES = {
    "reflectances": 'title: Reflectance as grey\nrange: [0, 1]\nramp: {0: "#000000", 1: "#fefefe"}\n',
    "cells": 'title: Cell as grey\nrange: [0, 30011]\nramp: {0: "#000000", 30011: "#fefefe"}\n',
}
OF_ASSETS = {
    "B04": "{layer: B04, styles: [reflectances]}",
    "B08": "{layer: B08, styles: [reflectances]}",
    "SCL": "{layer: SCL, styles: [cells]}",
    "CELL": "{layer: CELL, styles: [cells]}",
}
VARIABLES = "".join(f"\n      {name}: {text}" for name, text in OF_ASSETS.items())
VARIABLES += """
      NDVI: {layer: NDVI, formula: "(B08 - B04) / (B08 + B04)", range: [-1, 1], styles: [reflectances]}
      CLEAR:
        layer: CLEAR
        formula: "B08 + 0"
        mask: {variable: SCL, keep: [4, 5, 6]}
        range: [0, 1]
        styles: [reflectances]
"""
CONFIGURATION = """
service:
  id: scenes
  crs: [EPSG:4326, CRS:84, EPSG:3857, EPSG:32631, EPSG:32632, EPSG:3035]
collections:
  cut:
    source: SOURCE
    time: {group: solar_day}
    mosaic: {MOSAIC}
    GRID
    variables: VARIABLES
"""
WHOLE = """
  whole{zone}:
    source: {{kind: cog, href: '{href}', time_pattern: '{pattern}'}}
    variables: {variables}
"""


@dataclass(frozen=True)
class Served:
    """A plan, and the client of the server that serves it."""

    made: Plan
    client: TestClient
    index: ItemIndex
    summary: FillSummary
    services: Services


def write_configuration(
    folder: Path, source: Source, *, mosaic: str = "rule: first", grid: str = "", uncut: str = ""
) -> Path:
    """Write the configuration `chronotile.yaml`, with its styles, and return its path."""
    (folder / "styles").mkdir(parents=True, exist_ok=True)
    for name, style in STYLES.items():
        (folder / "styles" / f"{name}.yaml").write_text(style)
    text = CONFIGURATION.replace("SOURCE", source.section).replace("MOSAIC", mosaic).replace("    GRID\n", grid)
    path = folder / "chronotile.yaml"
    path.write_text(text.replace("VARIABLES", VARIABLES) + uncut)
    return path


def uncut_collections(made: Plan, *zones: int, assets: tuple[str, ...] = ()) -> str:
    """Return the uncut rasters as collections, optionally only some assets; ids of their layers end in the zone."""
    folder = archive(made, uncut=zones, uncut_assets=assets)
    texts = []
    for zone in zones:
        variables = "".join(f"\n      {name}: {OF_ASSETS[name]}" for name in assets) or VARIABLES
        for name in ("B04", "B08", "SCL", "CELL", "NDVI", "CLEAR"):
            variables = variables.replace(f"layer: {name}", f"layer: {name}-{zone}")
        href = folder / UNCUT / str(zone) / "*_{variable}.tif"
        texts.append(WHOLE.format(zone=zone, href=href, pattern=TIME_PATTERN, variables=variables))
    return "".join(texts)


@contextmanager
def serving_scenes(folder: Path, made: Plan, source: Source, **configuration: str) -> Iterator[Served]:
    """Serve an archive in this process; the variables of `source.environment` are in force."""
    path = write_configuration(folder, source, **configuration)
    index = open_items(None, folder / "index")
    summary = fill_index(path, index, source)
    with closing(index), open_served(path, made, index, summary, prefixes=prefixes_of(source)) as served:
        yield served


@contextmanager
def open_served(
    path: Path, made: Plan, index: ItemIndex, summary: FillSummary, *, prefixes: AllowedPlaces
) -> Iterator[Served]:
    """Serve a configuration whose index is filled."""
    opened = open_archive(
        path,
        environment={},
        clock=lambda: np.datetime64("2022-12-01", "ns"),
        caches=ReaderCaches(items=lambda: index, places=prefixes),
    )
    try:
        with TestClient(application(opened.services)) as client:
            yield Served(made, client, index, summary, opened.services)
    finally:
        opened.close()


def fill_index(configuration: Path, index: ItemIndex, source: Source) -> FillSummary:
    """Fill the index of the collection `cut` as `chronotile index` does."""
    (spec,) = specs_of_items(configuration, environment={})
    access = SourceAccess(prefixes=prefixes_of(source), documents=DocumentReader())
    with closing(open_passes(None, configuration.parent / "index")) as passes:
        store = IndexStore(items=index, passes=passes)
        return fill(indexed_collection(spec), source_of(spec, access), store)


def prefixes_of(source: Source) -> AllowedPlaces:
    """Return the allowed locations of files outside the source."""
    allowed = source.environment.get("CHRONOTILE_SOURCE_PREFIXES", "")
    return AllowedPlaces(filter(None, allowed.split(",")), setting="CHRONOTILE_SOURCE_PREFIXES")
