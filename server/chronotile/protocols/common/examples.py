"""Examples that work here: of the layers and places that are served."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chronotile.archive.index.date_items import date_id
from chronotile.catalog.catalogue import Catalogue
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, transformer
from chronotile.model.time.instants import TimeSpan
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.protocols.common.openapi import INDEX, Json, enum_of, in_path

MARGIN_CELLS = 2.2
"""From the middle of a layer to the sides of the area of the examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Values that replace parameters."""

    layer: str
    collection: str
    """Of the layer."""
    item: str | None
    """Of the collection: its last date; `None` of scenes, which the catalogue does not know."""
    store: str | None
    """The layer, if it has a Zarr store."""
    times: str
    """The year of the layer's last time; nothing for one without time."""
    longitude: float
    latitude: float
    ring: list[list[float]]
    """Around it, longitudes and latitudes."""
    tile_matrix_set: str
    tile: tuple[str, int, int]
    """Matrix, column and row of a tile of that set that shows the layer."""
    place_set: str
    place: str
    languages: tuple[str, ...]

    @property
    def polygon(self) -> dict[str, Any]:
        """A GeoJSON geometry."""
        return {"type": "Polygon", "coordinates": [self.ring]}

    @property
    def feature(self) -> dict[str, Any]:
        """The same as a feature."""
        return {"type": "Feature", "id": "field 1", "properties": {"crop": "beet"}, "geometry": self.polygon}

    @property
    def features(self) -> dict[str, Any]:
        """The same in a collection."""
        return {"type": "FeatureCollection", "features": [self.feature]}


def tile_in_path(tile_matrix_set: str, tile: tuple[str, int, int]) -> list[Json]:
    """Return the segments `{tms}/{z}/{x}/{y}` of a path, with an example: matrix, column and row."""
    matrix, column, row = tile
    return [
        in_path("tms", "Tile matrix set", example=tile_matrix_set),
        in_path("z", "Tile matrix", example=matrix),
        in_path("x", "Column", INDEX, example=column),
        in_path("y", "Row, from the top", INDEX, example=row),
    ]


def extension_in_path(extensions: Iterable[str]) -> Json:
    """Return the segment `{extension}` of a path."""
    names = list(extensions)
    return in_path("extension", "Of the format", enum_of(names), example=names[0])


def examples_of(catalogue: Catalogue) -> Examples:
    """Return examples from the first layer that has values, and the first place."""
    layer = next((each for each in catalogue.layers if not each.is_composite), None)
    longitude, latitude, ring = (4.4, 51.0, []) if layer is None else _middle(layer)
    places = next(iter(catalogue.places.values()), None)
    return Examples(
        layer="NDVI" if layer is None else layer.id,
        collection="s2" if layer is None else layer.collection,
        item=None if layer is None else _last_item(layer),
        store=layer.id if layer is not None and has_store(layer) else None,
        times="" if layer is None or len(layer.times) == 0 else str(layer.times.instants[-1].astype("datetime64[Y]")),
        longitude=longitude,
        latitude=latitude,
        ring=ring,
        tile_matrix_set=catalogue.tile_matrix_sets[0].id if catalogue.tile_matrix_sets else "WebMercatorQuad",
        tile=("0", 0, 0) if layer is None else _tile(layer, catalogue),
        place_set="" if places is None else places.id,
        place="" if places is None or not places.ids else places.ids[0],
        languages=catalogue.service.languages,
    )


def _last_item(layer: Layer) -> str | None:
    times = layer.times
    if len(times) == 0 or layer.main_variable.is_mosaic:
        return None
    return date_id(TimeSpan(times.starts[-1], times.ends[-1]))


def _tile(layer: Layer, catalogue: Catalogue) -> tuple[str, int, int]:
    """The smallest tile that holds a layer whole, or else the first that shares area with it."""
    for each in catalogue.tile_matrix_sets[:1]:
        box = layer.main_variable.grid.bbox_in(each.crs)
        found = [(matrix.id, tiles) for matrix in each.matrices if (tiles := each.tiles_over(matrix, box)) is not None]
        whole = [(name, one) for name, one in found if one.row_min == one.row_max and one.column_min == one.column_max]
        for name, one in whole[-1:] or found[:1]:
            return name, one.column_min, one.row_min
    return "0", 0, 0


def _middle(layer: Layer) -> tuple[float, float, list[list[float]]]:
    """A cell in the middle of a layer, and a square around it."""
    grid = layer.main_variable.grid
    row, column = grid.height // 2, grid.width // 2
    to_degrees = transformer(grid.crs, CRS84).transform
    longitude, latitude = to_degrees(*grid.centre_of(row, column))
    right, down = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]).T * MARGIN_CELLS
    corners = to_degrees(*grid.points_at(column + 0.5 + right, row + 0.5 + down))
    ring = np.round(np.column_stack(corners), 6).tolist()
    return round(longitude, 6), round(latitude, 6), ring
