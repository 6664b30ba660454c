"""Items of a collection in EDR: one feature per time, and one for data without a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from urllib.parse import quote, urlencode

import numpy as np
import orjson

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnknownPath
from chronotile.core.model.collection import Clock, Layer
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import InstantArray, Json
from chronotile.pipeline.encoders.series.json import UNBOUNDED
from chronotile.pipeline.series.places import meets_grid
from chronotile.protocols.common.extent import longitude_latitude_box
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.edr import formats
from chronotile.protocols.ogcapi.edr.features import NO_INSTANTS, FeatureSelection, features_document, matching_instants

TIMELESS = "all"
"""Id of the item with the data that have no time."""


@dataclass(frozen=True, kw_only=True)
class Items:
    """The items of some layers of a collection: data without a time first, then the times of all layers."""

    offered: OfferedCollection
    layers: Sequence[Layer]
    address: str
    """Public URL of the collection."""
    language: str
    max_json_values: int
    """Values of a response in a text format at most; the cubes of larger items are linked as NetCDF or GeoTIFF."""

    @property
    def has_timeless(self) -> bool:
        """Whether a layer has no times."""
        return any(len(layer.times) == 0 for layer in self.layers)

    @cached_property
    def instants(self) -> InstantArray:
        """Times of all layers (time,), ascending."""
        return reduce(np.union1d, [layer.times.instants for layer in self.layers], NO_INSTANTS)

    @cached_property
    def _cells(self) -> int:
        grid = self.offered.main_field.main_variable.grid
        return grid.width * grid.height

    @cached_property
    def _file_format(self) -> str:
        return formats.list_installed(formats.FILE_FORMATS)[0]

    def matching(self, time: TimeSelection, clock: Clock) -> InstantArray:
        """Return the instants that overlap with a selection (time,).

        Raises:
            MissingTime: The default time is requested, and a layer has none.
        """
        if time.keyword == "absent":
            return self.instants
        return matching_instants([layer for layer in self.layers if len(layer.times)], time, clock)

    def feature(self, name: str, layers: Sequence[Layer], datetime: str) -> Json:
        """Return an item with its layers; `datetime` is its time or `UNBOUNDED`."""
        west, south, east, north = box = longitude_latitude_box(self.offered.main_field)
        corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        when = {} if datetime == UNBOUNDED else {"datetime": datetime}
        names = ",".join(layer.main_variable.name for layer in layers)
        query = {"bbox": ",".join(map(repr, box)), **when, "parameter-name": names}
        if len(layers) * self._cells > self.max_json_values:
            query["f"] = self._file_format
        title = text_in(self.offered.title, self.language) or self.offered.id
        return {
            "type": "Feature",
            "id": name,
            "bbox": list(box),
            "geometry": {"type": "Polygon", "coordinates": [corners]},
            "properties": {
                "datetime": datetime,
                "parameter-name": [layer.main_variable.name for layer in layers],
                "label": title if name == TIMELESS else f"{title}, {name}",
                "edrqueryendpoint": f"{self.address}/cube?{urlencode(query, safe='/:,')}",
            },
            "links": [
                link(
                    "self",
                    f"{self.address}/items/{quote(name, safe=':')}",
                    formats.MEDIA_TYPES[formats.GEOJSON],
                    "This item",
                )
            ],
        }

    def features(self, instants: InstantArray) -> list[Json]:
        """Return the items of some instants, with the layers that have data at each."""
        has_instants = [(layer, np.isin(instants, layer.times.instants)) for layer in self.layers]
        names = enumerate(map(format_instant, instants))
        return [
            self.feature(name, [layer for layer, is_present in has_instants if is_present[number]], name)
            for number, name in names
        ]

    def timeless(self) -> Json:
        """Return the item of the data without a time."""
        return self.feature(TIMELESS, [layer for layer in self.layers if len(layer.times) == 0], UNBOUNDED)


def items_document(items: Items, selection: FeatureSelection, clock: Clock) -> bytes:
    """Return one page of items, the earliest first.

    Raises:
        MissingTime: The default time is requested, and a layer has none.
    """
    is_met = selection.box is None or meets_grid([selection.box], items.offered.main_field.main_variable.grid)[0]
    instants = items.matching(selection.time, clock) if is_met else NO_INSTANTS
    n_timeless = int(is_met and items.has_timeless)
    start, stop = (max(0, edge - n_timeless) for edge in (selection.paging.offset, selection.paging.end))
    features = [items.timeless()] if selection.paging.offset < n_timeless else []
    return features_document(
        [*features, *items.features(instants[start:stop])],
        selection=selection,
        matched=n_timeless + len(instants),
        address=f"{items.address}/items",
    )


def item_document(items: Items, name: str) -> bytes:
    """Return the item of an id: an instant as lists contain it, or in another precision if it is unambiguous.

    Raises:
        UnknownPath: No item has this id.
    """
    if name == TIMELESS and items.has_timeless:
        return orjson.dumps(items.timeless())
    instants = _instants_in(items.instants, name)
    if len(instants) != 1:
        message = f"item {name[:MAX_SHOWN]!r} does not exist; ids are times, as /items lists them"
        raise UnknownPath(message, locator="itemId")
    return orjson.dumps(items.features(instants)[0])


def _instants_in(instants: InstantArray, name: str) -> InstantArray:
    try:
        span = parse_instant(name)
    except InvalidParameter:
        return NO_INSTANTS
    return instants[(instants >= span.start) & (instants < span.end)]
