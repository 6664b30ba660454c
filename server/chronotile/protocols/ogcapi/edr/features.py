"""Pages of GeoJSON features: what selects them, and their formats (OGC 17-069r4 §7.15, OGC 19-086r6 §8.2.9)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from urllib.parse import quote, urlencode

import numpy as np
import orjson
import shapely

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.catalog.resolve_times import matching_times
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnknownPath, UnknownPlace, require_at_most
from chronotile.core.model.collection import Clock, Layer
from chronotile.core.model.crs import CRS84
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.grid import BBox
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.time.instants import TimeSelection, format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import InstantArray, Json
from chronotile.pipeline.encoders.document_parts import dump_json
from chronotile.pipeline.encoders.series.json import UNBOUNDED, interval_text
from chronotile.pipeline.features.select import places_near
from chronotile.pipeline.place_shapes import shapes_in
from chronotile.pipeline.series.places import meets_grid
from chronotile.protocols.common.extent import longitude_latitude_box
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.crs import box_in_degrees
from chronotile.protocols.ogcapi.edr import queries
from chronotile.protocols.ogcapi.edr.params import check_query, crs_of_query, requested_layers
from chronotile.protocols.ogcapi.paging import Paging


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesQuery:
    """Which features are requested."""

    layers: tuple[Layer, ...]
    """Of `parameter-name`."""
    box: BBox | None
    """In CRS84, unwound: `xmin` is never more than `xmax`."""
    time: TimeSelection
    paging: Paging


def features_query(offered: OfferedCollection, query: Kvp, catalogue: Catalogue) -> FeaturesQuery:
    """Return which features of a collection are requested; `crs` is looked at, but GeoJSON is in CRS84.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    query.refuse(("bbox-crs",), instead="bbox in CRS84")
    query.refuse((csv_options.DATE.name,), instead=queries.DATETIME.name)
    check_query(query, queries.OF_LISTS)
    layers = requested_layers(offered, query)
    crs_of_query(query, layers[0], catalogue)
    box = box_in_degrees(query, queries.BBOX_OF_LISTS)
    return FeaturesQuery(
        layers=layers,
        box=None if box is None else box.unwound(),
        time=queries.DATETIME.of(query),
        paging=Paging(
            limit=queries.LIMIT.of(query),
            offset=queries.OFFSET.of(query),
            written=query.written(names_of((queries.BBOX_OF_LISTS, *queries.SHARED))),
        ),
    )


def features_document(
    features: Sequence[Json], *, selection: FeaturesQuery, matched: int, address: str, links: Sequence[Json] = ()
) -> bytes:
    """Return a page of features.

    Args:
        features: Those of the page.
        selection: The features requested.
        matched: How many there are on all pages.
        address: Public URL of the list.
        links: Beside those to the pages.
    """
    paging = selection.paging
    offsets = {"self": paging.offset, "next": paging.following(matched)}
    pages = [_page(rel, address, paging, offset) for rel, offset in offsets.items() if offset is not None]
    document = {
        "type": "FeatureCollection",
        "numberMatched": matched,
        "numberReturned": len(features),
        "links": [*pages, *links],
        "features": features,
    }
    return dump_json(document)


def _page(rel: str, address: str, paging: Paging, offset: int) -> Json:
    return link(
        rel, f"{address}?{paging.query(offset)}", queries.MEDIA_TYPES[queries.GEOJSON], f"Features from {offset} on"
    )


TIMELESS = "all"
"""Id of the item with the data that have no time."""


@dataclass(frozen=True, kw_only=True)
class Items:
    """The items of some parameters of a collection: what has no time, then the times that any has."""

    offered: OfferedCollection
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
        return _matching_instants([layer for layer in self.layers if len(layer.times)], time, clock)

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
            "links": [
                link(
                    "self",
                    f"{self.address}/items/{quote(name, safe=':')}",
                    queries.MEDIA_TYPES[queries.GEOJSON],
                    "This item",
                )
            ],
        }

    def features(self, instants: InstantArray) -> list[Json]:
        """Return the items of some instants, each with the parameters that have it."""
        has = [(layer, np.isin(instants, layer.times.instants)) for layer in self.layers]
        names = enumerate(map(format_instant, instants))
        return [self.feature(name, [layer for layer, which in has if which[number]], name) for number, name in names]

    def timeless(self) -> Json:
        """Return the item of what has no time."""
        return self.feature(TIMELESS, [layer for layer in self.layers if len(layer.times) == 0], UNBOUNDED)


_NONE = np.array([], dtype="datetime64[ns]")


def _matching_instants(layers: Sequence[Layer], time: TimeSelection, clock: Clock) -> InstantArray:
    found = [layer.times.instants[list(matching_times(layer, time, now=clock()).indexes)] for layer in layers]
    return reduce(np.union1d, found, _NONE)


def items_document(items: Items, selection: FeaturesQuery, clock: Clock) -> bytes:
    """Return one page of items, the earliest first.

    Raises:
        MissingTime: The default time is requested, and a parameter has none.
    """
    is_met = selection.box is None or meets_grid([selection.box], items.offered.main_field.main_variable.grid)[0]
    instants = items.matching(selection.time, clock) if is_met else _NONE
    before = int(is_met and items.has_timeless)
    start, stop = (max(0, edge - before) for edge in (selection.paging.offset, selection.paging.end))
    features = [items.timeless()] if selection.paging.offset < before else []
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
        message = f"item {name[:MAX_SHOWN]!r} is not known; items are called after times, as /items lists them"
        raise UnknownPath(message, locator="itemId")
    return orjson.dumps(items.features(found)[0])


def _named(instants: InstantArray, name: str) -> InstantArray:
    try:
        span = parse_instant(name)
    except InvalidParameter:
        return _NONE
    return instants[(instants >= span.start) & (instants < span.end)]


BETWEEN = ":"
"""Set and place in the id of a location: a slash would end the segment of the path."""


@dataclass(frozen=True, kw_only=True)
class Locations:
    """The locations of a collection: those places of all sets whose boxes meet it."""

    offered: OfferedCollection
    sets: tuple[PlaceSet, ...]
    root: str
    """Public URL of the server."""
    address: str
    """Public URL of the collection."""
    language: str

    def document(self, selection: FeaturesQuery, clock: Clock) -> bytes:
        """Return one page of locations, set by set; of a time that there is not, none.

        Each is a point inside its place, with the place's box; outlines are at `/places`.

        Raises:
            MissingTime: The default time is requested, and a parameter has none.
        """
        datetime = _datetime(selection, clock)
        layer, sets = self.offered.main_field, self.sets if datetime else ()
        found = [(places, places_near(places, layer, selection.box).tolist()) for places in sets]
        matched = sum(len(numbers) for _places, numbers in found)
        start, stop = selection.paging.offset, selection.paging.end
        features: list[Json] = []
        for places, numbers in found:
            page = numbers[max(0, start) : max(0, stop)]
            features += self._features(places, page, selection, datetime)
            start, stop = start - len(numbers), stop - len(numbers)
        return features_document(
            features,
            selection=selection,
            matched=matched,
            address=f"{self.address}/locations",
            links=[self._outlines(places) for places in self.sets],
        )

    def _features(
        self, places: PlaceSet, numbers: list[int], selection: FeaturesQuery, datetime: str
    ) -> Iterator[Json]:
        shapes = shapes_in(places, CRS84)
        inside = shapely.get_coordinates(shapely.point_on_surface(shapes.shapes[numbers])).tolist()
        names = [layer.main_variable.name for layer in selection.layers]
        for number, point in zip(numbers, inside, strict=True):
            name = f"{places.id}{BETWEEN}{places.ids[number]}"
            own = {key: column[number] for key, column in places.fields.items()}
            properties = {"datetime": datetime, "parameter-name": names, "label": places.labels[number]}
            yield {
                "type": "Feature",
                "id": name,
                "bbox": shapes.bounds[number],
                "geometry": {"type": "Point", "coordinates": point},
                "properties": {**own, **properties, "edrqueryendpoint": location_address(self.address, name)},
            }

    def _outlines(self, places: PlaceSet) -> Json:
        return link(
            "related",
            f"{self.root}/places/{quote(places.id)}?format=geojson",
            queries.MEDIA_TYPES[queries.GEOJSON],
            f"{text_in(places.spec.title, self.language) or places.id}: outlines",
        )


def location_address(address: str, name: str) -> str:
    """Return the URL of the data of a location of the collection at `address`."""
    return f"{address}/locations/{quote(name, safe=BETWEEN)}"


def require_sets(offered: OfferedCollection, catalogue: Catalogue) -> tuple[PlaceSet, ...]:
    """Return the sets of places that a collection has locations of.

    Raises:
        UnknownPath: There are none.
    """
    sets = queries.sets_of(offered, catalogue)
    if not sets:
        raise UnknownPath(f"collection {offered.id} has no locations: no places are configured there", locator="place")
    return sets


def areas_of_locations(text: str, catalogue: Catalogue) -> tuple[Area, ...]:
    """Return the places of an id `set:place`, or of several with commas between them.

    Raises:
        UnknownPlace: There is no such place.
        LimitExceeded: There are more than `max_features`.
    """
    try:
        return (_area(text, catalogue),)
    except UnknownPlace:
        if "," not in text:
            raise
    names, most = text.split(","), catalogue.limits.max_features
    require_at_most("max_features", len(names), most, alternative="request fewer at once", locator="location")
    return tuple(_area(name.strip(), catalogue) for name in dict.fromkeys(names))


def _area(name: str, catalogue: Catalogue) -> Area:
    set_id, between, place_id = name.partition(BETWEEN)
    if not between:
        listed = f"{next(iter(catalogue.places))}{BETWEEN}…"
        message = f"location {name[:MAX_SHOWN]!r} is not known; ids are of a set and a place, such as {listed}"
        raise UnknownPlace(message, locator="location")
    return replace(catalogue.place(f"{set_id}/{place_id}"), id=name)


def _datetime(selection: FeaturesQuery, clock: Clock) -> str:
    """From when to when the parameters have data of the requested time; nothing where they have none."""
    timed = [layer for layer in selection.layers if len(layer.times)]
    if not timed:
        return UNBOUNDED
    instants = _matching_instants(timed, selection.time, clock)
    return interval_text(instants) if instants.size else ""
