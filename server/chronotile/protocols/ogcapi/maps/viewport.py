"""Area and size of a map if the request lacks one or both (OGC 20-058 §6.5, Table 9)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import BBox, box_in, box_of_all
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.pipeline.tile_ranges import is_cylindrical
from chronotile.protocols.ogcapi.maps.ground_lengths import metres_in_box, metres_per_unit, native_cell_m

DEFAULT_SIDE_PX = 1024
"""Longer side of a map without a requested size."""
MOST_SIDE = 1e9
"""Pixels per side; a sanity check far above all limits."""
MERCATOR_LATITUDE = 85.0511287798066
WHOLE_CIRCLE = 360.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """Area and size of a map as requested: a box or a centre, with or without width, height and scale."""

    crs: Crs
    box: BBox | None = None
    """In `crs`."""
    centre: tuple[float, float] | None = None
    """In `crs`, x before y."""
    width: int | None = None
    height: int | None = None
    pixel_m: float | None = None
    """Side of a pixel on the ground in metres: scale denominator times size of a pixel on the display."""

    def grid(self, natives: Sequence[NativeGrid]) -> Grid:
        """Return the grid of the map.

        Without box, centre and scale the map shows all data, fitted into the requested size. A map around a centre has
        the resolution of the data if no scale is requested.

        Args:
            natives: Native grids of the layers.

        Raises:
            InvalidParameter: The data have no coordinates in the CRS, or a side is longer than `MOST_SIDE`.
        """
        if self.box is not None:
            return self._grid_of_box(self.box)
        data = data_box(natives, self.crs)
        if self.centre is None and self.pixel_m is None:
            return self._grid_of_box(data) if self.width is None or self.height is None else self._grid_around_box(data)
        middle = (data.xmin + data.xmax) / 2, (data.ymin + data.ymax) / 2
        return self._grid_around_point(self.centre or middle, self.pixel_m or native_cell_m(natives[0]))

    def _grid_of_box(self, box: BBox) -> Grid:
        """Return a grid of the box; pixels are square on the ground unless both sides are requested."""
        if self.width is not None and self.height is not None:
            return Grid(crs=self.crs, bbox=box, width=self.width, height=self.height)
        unit = metres_in_box(self.crs, box)
        across, along = (box.xmax - box.xmin) * unit.x, (box.ymax - box.ymin) * unit.y
        if self.pixel_m is not None:
            pixel_m, locator = self.pixel_m, "scale-denominator"
        elif self.width is not None:
            pixel_m, locator = across / self.width, "width"
        elif self.height is not None:
            pixel_m, locator = along / self.height, "height"
        else:
            pixel_m, locator = max(across, along) / DEFAULT_SIDE_PX, "bbox"
        width = self.width or _pixels(across, pixel_m, locator)
        return Grid(crs=self.crs, bbox=box, width=width, height=self.height or _pixels(along, pixel_m, locator))

    def _grid_around_box(self, box: BBox) -> Grid:
        """Return a grid of the requested size that contains the whole box."""
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

    def _grid_around_point(self, centre: tuple[float, float], pixel_m: float) -> Grid:
        """Return a grid of the requested size around a point; a missing side is equal to the other."""
        width = self.width or self.height or DEFAULT_SIDE_PX
        height = self.height or self.width or DEFAULT_SIDE_PX
        unit = metres_per_unit(self.crs, *centre)
        box = _box_round(centre, width * pixel_m / unit.x, height * pixel_m / unit.y)
        return Grid(crs=self.crs, bbox=box, width=width, height=height)


def data_box(natives: Sequence[NativeGrid], crs: Crs) -> BBox:
    """Return the box of all data in a CRS; longitudes exceed 180 if the data cross the antimeridian.

    Raises:
        InvalidParameter: The data have no coordinates in the CRS.
    """
    return box_of_all([_data_box(native, crs) for native in natives])


def box_to(box: BBox, source: Crs, target: Crs) -> BBox:
    """Return the box of `target` around a box of `source`, which may exceed 180 degrees at the antimeridian.

    Raises:
        InvalidParameter: The box has no coordinates in `target`.
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
