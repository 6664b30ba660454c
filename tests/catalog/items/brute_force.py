"""Expected results of an index, by a test of every item."""

import math
from dataclasses import dataclass, field

import numpy as np
from shapely import MultiPolygon, Polygon
from shapely import box as shapely_box
from shapely.affinity import translate

from chronotile.core.model.items import IndexSettings, solar_shift_s
from chronotile.core.model.space.boxes import boxes_of


def solar_day(start, box):
    """Return 00:00 UTC on the solar day at the centre of a box."""
    shifted = start + np.timedelta64(solar_shift_s(box), "s")
    return shifted.astype("datetime64[D]").astype("datetime64[ns]")


@dataclass
class BruteForce:
    """Items of a collection."""

    settings: IndexSettings = field(default_factory=IndexSettings)
    items: dict = field(default_factory=dict)

    def put(self, items):
        for item in items:
            self.items[item.id] = item

    def remove(self, ids):
        for id_ in ids:
            self.items.pop(id_, None)

    @property
    def good(self):
        return list(self.items.values())

    def instant(self, item):
        return solar_day(item.start, item.bbox) if self.settings.group == "solar_day" else item.start

    def covering(self, box, *, span=None, instants=None):
        found = [item for item in self.good if footprint_meets(item, box)]
        if span is not None:
            found = [item for item in found if span.start <= self.instant(item) < span.end]
        if instants is not None:
            found = [item for item in found if self.instant(item) in instants]
        return [item.id for item in sorted(found, key=lambda item: (self.instant(item), *self.rank(item), item.id))]

    def rank(self, item):
        value = item.properties.get(self.settings.order_by)
        if value is None:
            return True, 0
        return False, -value if self.settings.is_descending else value

    def times(self, box=None):
        return sorted({self.instant(item) for item in self.good if box is None or boxes_meet(item.bbox, box)})


def boxes_meet(one, other):
    """Return whether two boxes meet, in millionths of a degree, rounded outwards."""
    return any(
        math.floor(a.xmin * 1e6) <= math.ceil(b.xmax * 1e6)
        and math.floor(b.xmin * 1e6) <= math.ceil(a.xmax * 1e6)
        and math.floor(a.ymin * 1e6) <= math.ceil(b.ymax * 1e6)
        and math.floor(b.ymin * 1e6) <= math.ceil(a.ymax * 1e6)
        for a in boxes_of(one)
        for b in boxes_of(other)
    )


def footprint_meets(item, box):
    """Return whether the footprint of an item and a box share a point, by shapely."""
    footprint = MultiPolygon([Polygon(ring) for ring in item.footprint])
    return any(
        translate(footprint, turn).intersects(shapely_box(*part)) for part in boxes_of(box) for turn in (-360, 0, 360)
    )


def instants_of(values):
    return np.array(sorted(values), dtype="datetime64[ns]")
