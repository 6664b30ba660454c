"""The area and size of a map if the request has only one of them, or neither (OGC 20-058 §6.5, Table 9)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chronotile.errors import InvalidParameter
from chronotile.model.crs import CRS84, Crs, transformer
from chronotile.model.grid import BBox, Grid, NativeGrid, box_in, box_of_all
from chronotile.pipeline.tile_ranges import is_cylindrical
from chronotile.protocols.ogcapi.maps.ground import metres_in_box, metres_per_unit, native_cell_m

DEFAULT_SIDE_PX = 1024
"""Of the longer side of a map without a requested size."""
MOST_SIDE = 1e9
"""Pixels of a side past which nothing is reckoned: all limits are far below."""
MERCATOR_LATITUDE = 85.0511287798066
WHOLE_CIRCLE = 360.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """A map as far as a request says: either a box or a centre, and of a box no more of its size than it takes."""

    crs: Crs
    box: BBox | None = None
    """In `crs`."""
    centre: tuple[float, float] | None = None
    """In `crs`, x before y."""
    width: int | None = None
    height: int | None = None
    pixel_m: float | None = None
    """Side of a pixel on the ground: the scale denominator by the size of a rendering pixel."""

    def grid(self, natives: Sequence[NativeGrid]) -> Grid:
        """Return the pixels of the map.

        A map without a box and a place in the world is of all the data, fitted into the requested size; one round a
        centre has the data's own resolution where no scale is requested.

        Args:
            natives: Grids of what is shown.

        Raises:
            InvalidParameter: The data have no coordinates in the CRS, or the map is too large to reckon with.
        """
        if self.box is not None:
            return self._over(self.box)
        data = data_box(natives, self.crs)
        if self.centre is None and self.pixel_m is None:
            return self._over(data) if self.width is None or self.height is None else self._fitted(data)
        middle = (data.xmin + data.xmax) / 2, (data.ymin + data.ymax) / 2
        pixel_m = self.pixel_m or native_cell_m(natives[0])
        return self._round(self.centre or middle, pixel_m)

    def _over(self, box: BBox) -> Grid:
        """The box, its pixels square on the ground unless both sides are requested."""
        if self.width is not None and self.height is not None:
            return Grid(crs=self.crs, bbox=box, width=self.width, height=self.height)
        unit = metres_in_box(self.crs, box)
        across, along = (box.xmax - box.xmin) * unit.x, (box.ymax - box.ymin) * unit.y
        if self.pixel_m is not None:
            pixel_m, given = self.pixel_m, "scale-denominator"
        elif self.width is not None:
            pixel_m, given = across / self.width, "width"
        elif self.height is not None:
            pixel_m, given = along / self.height, "height"
        else:
            pixel_m, given = max(across, along) / DEFAULT_SIDE_PX, "bbox"
        width = self.width or _pixels(across, pixel_m, given)
        return Grid(crs=self.crs, bbox=box, width=width, height=self.height or _pixels(along, pixel_m, given))

    def _fitted(self, box: BBox) -> Grid:
        """The requested size, round a box that it holds whole."""
        width, height = self.width or DEFAULT_SIDE_PX, self.height or DEFAULT_SIDE_PX
        unit = metres_in_box(self.crs, box)
        pixel_m = max((box.xmax - box.xmin) * unit.x / width, (box.ymax - box.ymin) * unit.y / height)
        centre = (box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2
        return Grid(
            crs=self.crs,
            bbox=_box_round(centre, width * pixel_m / unit.x, height * pixel_m / unit.y),
            width=width,
            height=height,
        )

    def _round(self, centre: tuple[float, float], pixel_m: float) -> Grid:
        """The requested size round a place; a side that is not requested is like the other."""
        width = self.width or self.height or DEFAULT_SIDE_PX
        height = self.height or self.width or DEFAULT_SIDE_PX
        unit = metres_per_unit(self.crs, *centre)
        box = _box_round(centre, width * pixel_m / unit.x, height * pixel_m / unit.y)
        return Grid(crs=self.crs, bbox=box, width=width, height=height)


def data_box(natives: Sequence[NativeGrid], crs: Crs) -> BBox:
    """Return the box in a CRS that holds all data that it can express; longitudes go on beyond 180 across the seam.

    Raises:
        InvalidParameter: It can express none of them.
    """
    return box_of_all([_data_box(native, crs) for native in natives])


def box_to(box: BBox, source: Crs, target: Crs) -> BBox:
    """Return a box of `target` that holds one of `source`, which may go beyond 180 degrees across the antimeridian.

    Raises:
        InvalidParameter: No point of it has coordinates in `target`.
    """
    if source == target:
        return box
    if not (is_cylindrical(target) and not target.is_geographic and source.is_geographic):
        return box_in(box, source, target)
    inside = BBox(box.xmin, max(box.ymin, -MERCATOR_LATITUDE), box.xmax, min(box.ymax, MERCATOR_LATITUDE))
    if inside.ymin >= inside.ymax:
        raise InvalidParameter(f"the box has no coordinates in {target.name}", locator="bbox")
    # Mercator is linear in longitude, and PROJ would turn those beyond 180 back.
    (east, _), (_, south), (_, north) = (
        transformer(source, target).transform(*place)
        for place in ((180.0, 0.0), (0.0, inside.ymin), (0.0, inside.ymax))
    )
    return BBox(inside.xmin * east / 180, south, inside.xmax * east / 180, north)


def _data_box(native: NativeGrid, crs: Crs) -> BBox:
    if native.crs == crs:
        return native.bbox
    if crs.is_geographic:
        return native.unwound_box_in(crs)
    return box_to(native.unwound_box_in(CRS84), CRS84, crs) if is_cylindrical(crs) else native.bbox_in(crs)


def _pixels(length_m: float, pixel_m: float, locator: str) -> int:
    count = length_m / pixel_m
    if not (math.isfinite(count) and count <= MOST_SIDE):
        raise InvalidParameter(f"the map would have more than {MOST_SIDE:g} pixels per side", locator=locator)
    return max(1, round(count))


def _box_round(centre: tuple[float, float], width: float, height: float) -> BBox:
    x, y = centre
    return BBox(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
