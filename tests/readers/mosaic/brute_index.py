"""An index of items in memory that tests every item: databases are compared with it."""

from dataclasses import dataclass, field

import numpy as np
from shapely import MultiPolygon, Polygon, box

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import BandLayout, CollectionState, IndexSettings, ItemRef
from chronotile.core.model.space.boxes import BBox, box_of_all, boxes_of
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DAY, ONE_NS
from tests.catalog.items.brute_force import solar_day


@dataclass(frozen=True)
class NearThere:
    """The items of a box, unchanged since its search."""

    found: tuple
    are_all: bool = True
    nbytes: int = 1

    def meeting(self, box):
        return tuple(ref for ref, item in self.found if meets(item, box))


@dataclass
class BruteIndex:
    """Items of any number of collections."""

    items: dict = field(default_factory=dict)
    """By collection, then by id: (number, changed, item)."""
    settings_of: dict = field(default_factory=dict)
    _counter: int = 0

    def put(self, collection, *items):
        own = self.items.setdefault(collection, {})
        for item in items:
            self._counter += 1
            number = own[item.id][0] if item.id in own else self._counter
            own[item.id] = (number, self._counter, item)

    def remove(self, collection, *ids):
        for each in ids:
            self._counter += 1
            del self.items[collection][each]

    def settings(self, collection):
        return self.settings_of.get(collection, IndexSettings())

    def instant(self, collection, item):
        if self.settings(collection).group == "solar_day":
            return solar_day(item.start, item.bbox)
        return item.start

    def covering(self, collection, box, *, span=None, instants=None):
        found = []
        for number, changed, item in self.items.get(collection, {}).values():
            instant = self.instant(collection, item)
            is_there = instants is None or bool(np.isin(instant, instants))
            is_within = span is None or span.start <= instant < span.end
            if is_there and is_within and meets(item, box):
                found.append((self.order(collection, item), ItemRef(number, item.id, instant, changed, item.bbox)))
        return tuple(ref for _order, ref in sorted(found, key=lambda each: (each[1].instant, each[0])))

    def find_near(self, collection, box, instants):
        own = self.items.get(collection, {})
        refs = self.covering(collection, box, instants=instants)
        return NearThere(tuple((ref, own[ref.id][2]) for ref in refs))

    def order(self, collection, item):
        settings = self.settings(collection)
        number = None
        if settings.order_by == "datetime":
            number = float(item.start.astype("int64"))
        elif settings.order_by is not None:
            number = item.properties.get(settings.order_by)
        if number is None:
            return (np.inf, item.id)
        return (-number if settings.is_descending else number, item.id)

    def assets(self, numbers):
        every = {number: item for own in self.items.values() for number, _changed, item in own.values()}
        return {number: every[number].assets for number in numbers if number in every}

    def times(self, collection, *, box=None):
        own = [item for _n, _c, item in self.items.get(collection, {}).values() if box is None or meets(item, box)]
        starts = np.unique(np.array([self.instant(collection, item) for item in own], dtype="datetime64[ns]"))
        length = DAY if self.settings(collection).group == "solar_day" else ONE_NS
        return TimeDomain(starts, starts + length)

    def extent(self, collection):
        boxes = [item.bbox for _n, _c, item in self.items.get(collection, {}).values()]
        return box_of_all(boxes) if boxes else None

    def layouts(self, collection):
        found = {}
        for _number, _changed, item in self.items.get(collection, {}).values():
            for asset in item.assets:
                if asset.grid is not None and asset.bands and asset.bands[0].dtype is not None:
                    band = asset.bands[0]
                    encoding = Encoding(
                        dtype=band.dtype, scale=band.scale or 1.0, offset=band.offset or 0.0, nodata=band.nodata
                    )
                    layout = BandLayout(levels=(asset.grid,), encoding=encoding)
                    found.setdefault(asset.name, {})[layout] = None
        return {name: tuple(layouts) for name, layouts in found.items()}

    def changes(self, numbers):
        every = {number: changed for own in self.items.values() for number, changed, _item in own.values()}
        return {number: every[number] for number in numbers if number in every}

    def changes_of(self, collection, instants):
        return self._counter, (self._counter,) * len(instants)

    def state(self, collection, *, is_fresh=False):
        times = len(self.times(collection).starts)
        return CollectionState(counter=self._counter, times_counter=times, layouts_counter=0)

    def note_layouts(self, ref, asset, layouts):
        pass

    def note_header(self, ref, asset, *, header, etag, size):
        pass


def meets(item, bounds):
    """Return whether the footprint of an item shares a point with a box."""
    footprint = MultiPolygon([Polygon(ring) for ring in item.footprint])
    return any(footprint.intersects(box(*each)) for each in boxes_of(BBox(*bounds)))
