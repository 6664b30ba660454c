"""Examples of OpenAPI documents: layers, times, tiles and places that this server has."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chronotile.archive.index.dates import date_id
from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection, offered_collections
from chronotile.core.model.collection import Layer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.instants import TimeSpan
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.protocols.common.extent import DECIMALS, ring_of, wrapped_box

MARGIN_CELLS = 2
"""Cells on each side of the middle cell of the layer in the example area."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Example values of parameters."""

    catalogue: Catalogue
    layer: str
    collection: str
    """Collection of the layer."""
    item: str | None
    """Last date of the collection; `None` for items of the index."""
    store: str | None
    """Id of the layer if it has a Zarr store."""
    times: str | None
    """Year of the last time; `None` for a layer without time."""
    reducers: str
    """Reducers that the layer supports; layers of directions have no `min`, `max` and `median`."""
    longitude: float
    latitude: float
    middle: NativeGrid | None
    """Cells around the point; `None` without a layer."""
    tile_matrix_set: str
    tile: tuple[str, int, int]
    """Matrix, column and row of a tile that contains the layer."""
    place_set: str
    place: str
    languages: tuple[str, ...]

    @cached_property
    def offered(self) -> Sequence[OfferedCollection]:
        """Collections of OGC API."""
        return list(offered_collections(self.catalogue))

    @cached_property
    def value_collections(self) -> Sequence[OfferedCollection]:
        """Collections of OGC API with values, not only colours."""
        return [offered for offered in self.offered if offered.has_values]

    @property
    def box(self) -> str | None:
        """Box of the example area as `west,south,east,north`; `None` without a layer."""
        return None if self.middle is None else ",".join(map(repr, wrapped_box(self.middle)))

    @property
    def polygon(self) -> dict[str, Any]:
        """Example area as GeoJSON geometry."""
        return {"type": "Polygon", "coordinates": [[] if self.middle is None else ring_of(self.middle)]}

    @property
    def feature(self) -> dict[str, Any]:
        """Example area as GeoJSON feature."""
        return {"type": "Feature", "id": "field 1", "properties": {"crop": "beet"}, "geometry": self.polygon}

    @property
    def features(self) -> dict[str, Any]:
        """Example area as GeoJSON feature collection."""
        return {"type": "FeatureCollection", "features": [self.feature]}


def examples_of(catalogue: Catalogue) -> Examples:
    """Return examples with the first layer that has values, and the first place."""
    layer = next((layer for layer in catalogue.layers if not layer.is_composite), None)
    longitude, latitude = (4.4, 51.0) if layer is None else layer.main_variable.grid.middle()
    places = next(iter(catalogue.places.values()), None)
    return Examples(
        catalogue=catalogue,
        layer="NDVI" if layer is None else layer.id,
        collection="s2" if layer is None else layer.collection,
        item=None if layer is None else _last_item(layer),
        store=layer.id if layer is not None and has_store(layer) else None,
        times=None if layer is None or len(layer.times) == 0 else str(layer.times.instants[-1].astype("datetime64[Y]")),
        reducers="mean,p10,p90" if layer is None or not layer.main_variable.encoding.circle else "mean,std",
        longitude=round(longitude, DECIMALS),
        latitude=round(latitude, DECIMALS),
        middle=None if layer is None else layer.main_variable.grid.middle_part(MARGIN_CELLS),
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
    """Return the smallest tile that contains the layer, else the first tile that intersects it."""
    for tms in catalogue.tile_matrix_sets[:1]:
        box = layer.main_variable.grid.bbox_in(tms.crs)
        ranges = [(matrix.id, r) for matrix in tms.matrices if (r := tms.tiles_over(matrix, box)) is not None]
        single = [(name, r) for name, r in ranges if r.row_min == r.row_max and r.column_min == r.column_max]
        for name, tiles in single[-1:] or ranges[:1]:
            return name, tiles.column_min, tiles.row_min
    return "0", 0, 0
