"""`/items`: the times there are, a feature each, and the query that gives the data of one (OGC 19-086r6 §8.2.9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from urllib.parse import quote, urlencode

import numpy as np
import orjson

from chronotile.catalog.offered import Offered
from chronotile.catalog.resolve_times import matching_times
from chronotile.encoders.series.geojson import UNBOUNDED
from chronotile.errors import MAX_SHOWN, InvalidParameter, UnknownPath
from chronotile.model.collection import Clock, Layer
from chronotile.model.time.instants import InstantArray, TimeSelection, format_instant
from chronotile.model.time.parser import parse_instant
from chronotile.pipeline.series.places import meets_grid
from chronotile.protocols.common.extent import longitude_latitude_box
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.block import Json, Link
from chronotile.protocols.ogcapi.edr.features import FeaturesQuery, features_document
from chronotile.protocols.ogcapi.edr.formats import GEOJSON, MEDIA_TYPES

TIMELESS = "all"
"""Id of the item with the data that have no time."""


@dataclass(frozen=True, kw_only=True)
class Items:
    """The items of some parameters of a collection: what has no time, then the times that any has."""

    offered: Offered
    layers: Sequence[Layer]
    address: str
    """Public URL of the collection."""
    language: str

    @property
    def has_timeless(self) -> bool:
        """Whether any parameter has no time."""
        return any(len(layer.times) == 0 for layer in self.layers)

    @cached_property
    def instants(self) -> InstantArray:
        """(time,), ascending."""
        return reduce(np.union1d, [layer.times.instants for layer in self.layers], _NONE)

    def matching(self, time: TimeSelection, clock: Clock) -> InstantArray:
        """Return the instants that share something with a selection (time,).

        Raises:
            MissingTime: The default time is requested, and a parameter has none.
        """
        if time.keyword == "absent":
            return self.instants
        found = [
            layer.times.instants[list(matching_times(layer, time, now=clock()).indexes)]
            for layer in self.layers
            if len(layer.times)
        ]
        return reduce(np.union1d, found, _NONE)

    def feature(self, name: str, layers: Sequence[Layer], datetime: str) -> Json:
        """Return the item of that id."""
        west, south, east, north = box = longitude_latitude_box(self.offered.main_field)
        corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        when = {} if datetime == UNBOUNDED else {"datetime": datetime}
        names = ",".join(layer.main_variable.name for layer in layers)
        query = {"bbox": ",".join(map(repr, box)), **when, "parameter-name": names}
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
            "links": [self._link("self", name)],
        }

    def features(self, instants: InstantArray) -> list[Json]:
        """Return the items of some instants, each with the parameters that have it."""
        has = [(layer, np.isin(instants, layer.times.instants)) for layer in self.layers]
        names = [format_instant(instant) for instant in instants]
        return [
            self.feature(name, [layer for layer, which in has if which[number]], name)
            for number, name in enumerate(names)
        ]

    def timeless(self) -> Json:
        """Return the item of what has no time."""
        return self.feature(TIMELESS, [layer for layer in self.layers if len(layer.times) == 0], UNBOUNDED)

    def _link(self, rel: str, name: str) -> Json:
        href = f"{self.address}/items/{quote(name, safe=':')}"
        return Link(rel=rel, href=href, type=MEDIA_TYPES[GEOJSON], title="This item").document()


_NONE = np.array([], dtype="datetime64[ns]")


def items_document(items: Items, selection: FeaturesQuery, clock: Clock) -> bytes:
    """Return one page of items, the earliest first.

    Raises:
        MissingTime: The default time is requested, and a parameter has none.
    """
    is_met = selection.box is None or meets_grid([selection.box], items.offered.main_field.main_variable.grid)[0]
    instants = items.matching(selection.time, clock) if is_met else _NONE
    before = int(is_met and items.has_timeless)
    start, stop = (max(0, edge - before) for edge in (selection.offset, selection.offset + selection.limit))
    features = [items.timeless()] if selection.offset < before else []
    return features_document(
        [*features, *items.features(instants[start:stop])],
        selection=selection,
        matched=before + len(instants),
        address=f"{items.address}/items",
    )


def item_document(items: Items, name: str) -> bytes:
    """Return the item of an id: an instant as `items_document` writes it, or in another precision that is unambiguous.

    Raises:
        UnknownPath: There is no such item.
    """
    if name == TIMELESS and items.has_timeless:
        return orjson.dumps(items.timeless())
    found = _named(items.instants, name)
    if len(found) != 1:
        raise UnknownPath(
            f"item {name[:MAX_SHOWN]!r} is not known; items are called after times, as /items lists them",
            locator="itemId",
        )
    (feature,) = items.features(found)
    return orjson.dumps(feature)


def _named(instants: InstantArray, name: str) -> InstantArray:
    try:
        span = parse_instant(name)
    except InvalidParameter:
        return _NONE
    return instants[(instants >= span.start) & (instants < span.end)]
