"""`/locations`: the places that the configuration names, a feature each (OGC 19-086r6 §8.2.7)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from urllib.parse import quote

import numpy as np
import shapely
from numpy.typing import NDArray

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.catalog.resolve_times import matching_times
from chronotile.encoders.series.geojson import UNBOUNDED, interval_text
from chronotile.errors import MAX_SHOWN, LimitExceeded, UnknownPath, UnknownPlace
from chronotile.model.collection import Clock
from chronotile.model.crs import CRS84
from chronotile.model.geometry.area import Area
from chronotile.model.grid import WHOLE_CIRCLE, BBox, FloatArray
from chronotile.model.places import PlaceSet
from chronotile.pipeline.place_shapes import shapes_in
from chronotile.pipeline.series.places import near_layer
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.block import Json, Link
from chronotile.protocols.ogcapi.edr.features import FeaturesQuery, features_document
from chronotile.protocols.ogcapi.edr.formats import GEOJSON, MEDIA_TYPES
from chronotile.protocols.ogcapi.edr.queries import sets_of

BETWEEN = ":"
"""Set and place in the id of a location: a slash would end the segment of the path."""


@dataclass(frozen=True, kw_only=True)
class Locations:
    """The locations of a collection: those places of all sets whose boxes meet it."""

    offered: Offered
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
        found = [(places, _matching(places, self.offered, selection)) for places in self.sets] if datetime else []
        matched = sum(len(numbers) for _places, numbers in found)
        start, stop = selection.offset, selection.offset + selection.limit
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

    def _outlines(self, places: PlaceSet) -> Link:
        return Link(
            rel="related",
            href=f"{self.root}/places/{quote(places.id)}?format=geojson",
            type=MEDIA_TYPES[GEOJSON],
            title=f"{text_in(places.spec.title, self.language) or places.id}: outlines",
        )


def location_address(address: str, name: str) -> str:
    """Return the URL of the data of a location of the collection at `address`."""
    return f"{address}/locations/{quote(name, safe=BETWEEN)}"


def require_sets(offered: Offered, catalogue: Catalogue) -> tuple[PlaceSet, ...]:
    """Return the sets of places that a collection has locations of.

    Raises:
        UnknownPath: There are none.
    """
    sets = sets_of(offered, catalogue)
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
    if len(names) > most:
        raise LimitExceeded(
            "max_features", allowed=most, needed=len(names), alternative="request fewer at once", locator="location"
        )
    return tuple(_area(name.strip(), catalogue) for name in dict.fromkeys(names))


def _area(name: str, catalogue: Catalogue) -> Area:
    set_id, between, place_id = name.partition(BETWEEN)
    if not between:
        listed = f"{next(iter(catalogue.places))}{BETWEEN}…"
        raise UnknownPlace(
            f"location {name[:MAX_SHOWN]!r} is not known; ids are of a set and a place, such as {listed}",
            locator="location",
        )
    return replace(catalogue.place(f"{set_id}/{place_id}"), id=name)


def _matching(places: PlaceSet, offered: Offered, selection: FeaturesQuery) -> list[int]:
    """Numbers of the places that meet the collection, and the requested box."""
    near = near_layer(places, offered.main_field)
    if selection.box is not None:
        near &= _meets(shapes_in(places, CRS84).bounds, selection.box)
    numbers: list[int] = np.flatnonzero(near).tolist()
    return numbers


def _meets(bounds: FloatArray, box: BBox) -> NDArray[np.bool_]:
    """(place,): whether boxes share a point, in whichever turn of the globe."""
    west, south, east, north = bounds.T
    turns = [(west + turn <= box.xmax) & (east + turn >= box.xmin) for turn in (-WHOLE_CIRCLE, 0.0, WHOLE_CIRCLE)]
    meets: NDArray[np.bool_] = np.logical_or.reduce(turns) & (south <= box.ymax) & (north >= box.ymin)
    return meets


def _datetime(selection: FeaturesQuery, clock: Clock) -> str:
    """From when to when the parameters have data of the requested time; nothing where they have none."""
    timed = [layer for layer in selection.layers if len(layer.times)]
    if not timed:
        return UNBOUNDED
    found = [layer.times.instants[list(matching_times(layer, selection.time, now=clock()).indexes)] for layer in timed]
    instants = reduce(np.union1d, found)
    return interval_text(instants) if instants.size else ""
