"""Path and query of a map turned into what the core understands (OGC 20-058)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from pyproj import Geod

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.crs import CRS84, Crs, transformer
from chronotile.core.model.grid import BBox, Grid, NativeGrid, box_in, box_of_all
from chronotile.core.model.types import Json
from chronotile.pipeline.tile_ranges import is_cylindrical
from chronotile.protocols.common.openapi import NUMBER, PAIR
from chronotile.protocols.common.query.crs import named_crs
from chronotile.protocols.common.query.kvp import Kvp, numbers
from chronotile.protocols.common.query.parameter import Parameter, custom, names_of, number, text, whole
from chronotile.protocols.common.query.place import as_xy
from chronotile.protocols.ogcapi.crs import BBOX, BBOX_CRS, box_of
from chronotile.protocols.ogcapi.maps.drawing import OF_DRAWING, Drawing, drawing_of
from chronotile.protocols.ogcapi.subset import CoveragePart

# The area and size of a map if the request has only one of them, or neither (OGC 20-058 §6.5, Table 9).

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
        return self._round(self.centre or middle, self.pixel_m or native_cell_m(natives[0]))

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


FARTHEST = 1e15
"""A coordinate beyond is a mistake: next to it a float cannot tell decimetres."""
LEAST_PIXEL_M, GREATEST_PIXEL_M = 1e-6, 1e8
POSITIVE: Json = {**NUMBER, "minimum": 0, "exclusiveMinimum": True}
"""As OpenAPI 3.0 has it."""


def _centre(given: str) -> tuple[float, float]:
    first, second = numbers(given, 2, locator="center")
    return first, second


CRS = text("crs", "CRS of the map; default: that of the data, or CRS84 for a map of the dataset")
WIDTH = whole("width", "Columns; default: square pixels on the ground", least=1)
HEIGHT = whole("height", "Rows; default: square pixels on the ground", least=1)
CENTER = custom(
    "center", "The middle of the map, instead of `bbox`, in the axis order of `center-crs`", _centre, schema=PAIR
)
CENTER_CRS = text("center-crs", "CRS of `center`; default: CRS84")
SCALE_DENOMINATOR = replace(
    number(
        "scale-denominator",
        "How many times smaller than the ground the map is, on a display of `mm-per-pixel`; not beside both `bbox` and "
        "`width` or `height`",
        above=0,
    ),
    schema=POSITIVE,
)
MM_PER_PIXEL = replace(
    number("mm-per-pixel", "Size of a pixel of the display, of which `scale-denominator` speaks", above=0),
    default=0.28,  # of a rendering pixel (OGC 20-058 §12)
    schema={**POSITIVE, "default": 0.28},
)
PLACING: tuple[Parameter[object], ...] = (
    *(BBOX, BBOX_CRS, CRS, WIDTH, HEIGHT, CENTER, CENTER_CRS, SCALE_DENOMINATOR, MM_PER_PIXEL),
)
OF_MAP = (*PLACING, *OF_DRAWING)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapQuery:
    """A map as it is requested; its grid takes PROJ some milliseconds, so that it is found in a thread."""

    drawing: Drawing
    subset: CoveragePart
    query: Kvp
    default_crs: Crs
    catalogue: Catalogue

    def grid(self) -> Grid:
        """Return the pixels of the map.

        Raises:
            ChronotileError: A parameter is not accepted, or does not go with another.
        """
        crs = self._crs(CRS, otherwise=self.default_crs)
        box, centre, pixel_m = self._box(crs), self._centre(crs), self._pixel_m()
        width, height = WIDTH.given(self.query), HEIGHT.given(self.query)
        if box is not None and centre is not None:
            raise InvalidParameter("center does not go with bbox or subset; give one of them", locator="center")
        if box is not None and pixel_m is not None and (width or height):
            message = "of bbox, scale-denominator and width or height two say all; leave one away"
            raise InvalidParameter(message, locator="scale-denominator")
        viewport = Viewport(crs=crs, box=box, centre=centre, width=width, height=height, pixel_m=pixel_m)
        return viewport.grid(self._natives)

    @property
    def _natives(self) -> list[NativeGrid]:
        return [layer.main_variable.grid for layer in self.drawing.layers]

    def _crs(self, parameter: Parameter[str], *, otherwise: Crs = CRS84) -> Crs:
        name = parameter.given(self.query)
        if name is None:
            return otherwise
        return named_crs(name, self.drawing.layers[0], self.catalogue, locator=parameter.name)

    def _box(self, crs: Crs) -> BBox | None:
        given, bbox_crs, trim = BBOX.given(self.query), self._crs(BBOX_CRS), self.subset.trim
        if given is not None and trim is not None:
            raise InvalidParameter("subset has an axis that bbox has too; give one of them", locator="subset")
        if given is not None:
            return _in(crs, _solid(box_of(given, bbox_crs), bbox_crs, "bbox"), bbox_crs)
        if trim is None:
            return None
        closed = _closed(trim.box, data_box(self._natives, trim.crs))
        return _in(crs, _solid(closed, trim.crs, "subset"), trim.crs)

    def _centre(self, crs: Crs) -> tuple[float, float] | None:
        centre, centre_crs = CENTER.given(self.query), self._crs(CENTER_CRS)
        if centre is None:
            return None
        x, y, _x, _y = as_xy(BBox(*centre, *centre), centre_crs)
        if centre_crs != crs:
            x, y = transformer(centre_crs, crs).transform(x, y)
        if not (abs(x) <= FARTHEST and abs(y) <= FARTHEST):
            message = f"center {centre[0]:g},{centre[1]:g} is not a place in {crs.name[:MAX_SHOWN]}"
            raise InvalidParameter(message, locator="center")
        return float(x), float(y)

    def _pixel_m(self) -> float | None:
        size, scale = MM_PER_PIXEL.of(self.query), SCALE_DENOMINATOR.given(self.query)
        if scale is None:
            return None
        pixel_m = scale * size / 1000
        if not LEAST_PIXEL_M <= pixel_m <= GREATEST_PIXEL_M:
            raise InvalidParameter(
                f"scale-denominator {scale:g} makes pixels of {pixel_m:g} m; maps have {LEAST_PIXEL_M:g} to "
                f"{GREATEST_PIXEL_M:g} m",
                locator="scale-denominator",
            )
        return pixel_m


def parse_map(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> MapQuery:
    """Return the map that a path and a query request.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    query.check_names(names_of(OF_MAP))
    drawing, subset = drawing_of(path, query, accept, catalogue)
    crs = default_crs(path, drawing)
    return MapQuery(drawing=drawing, subset=subset, query=query, default_crs=crs, catalogue=catalogue)


def default_crs(path: Mapping[str, str], drawing: Drawing) -> Crs:
    """Return the default CRS of a map (OGC 20-058 §7.2.2).

    Of a collection it is that of the data, if it has a URI; of the dataset, which is in many, CRS84.
    """
    own = drawing.layers[0].main_variable.grid.crs
    return own if "collectionId" in path and own.uri is not None else CRS84


def _closed(box: BBox, data: BBox) -> BBox:
    # The box with the edges of the data where it is open.
    return BBox(*(edge if math.isfinite(edge) else end for edge, end in zip(box, data, strict=True)))


def _solid(box: BBox, crs: Crs, locator: str) -> BBox:
    """The box with something inside; across the antimeridian its longitudes go on beyond 180."""
    if box.xmin > box.xmax:
        box = box._replace(xmax=box.xmax + WHOLE_CIRCLE)
    if box.xmin >= box.xmax or box.ymin >= box.ymax:
        raise InvalidParameter(f"{locator} is empty: a map needs an ascending interval of each axis", locator=locator)
    if max(abs(edge) for edge in box) > FARTHEST:
        raise InvalidParameter(f"{locator} lies beyond all coordinates of {crs.name[:MAX_SHOWN]}", locator=locator)
    return box


def _in(target: Crs, box: BBox, source: Crs) -> BBox:
    found = box_to(box, source, target)
    if found.xmin >= found.xmax or found.ymin >= found.ymax or max(abs(edge) for edge in found) > FARTHEST:
        raise InvalidParameter(f"bbox has no extent in {target.name[:MAX_SHOWN]}", locator="bbox")
    return found


# How large the units of a CRS are on the ground, which scales and aspect ratios are about (OGC 20-058 §11.2).

STEP_M = 100.0
"""About so far apart are the points between which is measured."""
NEAREST_TO_POLE = 89.0
"""Degrees of latitude, beyond which a degree of longitude has no length to speak of."""

_EARTH = Geod(ellps="WGS84")


class Metres(NamedTuple):
    """Lengths on the ground of one CRS unit along either axis."""

    x: float
    y: float


def metres_per_unit(crs: Crs, x: float, y: float) -> Metres:
    """Return the length of a CRS unit at a place; that which the CRS itself gives it where there is no such place."""
    nominal = crs.metres_per_unit
    half = STEP_M / nominal / 2
    if crs.is_geographic:
        y = min(max(y, -NEAREST_TO_POLE), NEAREST_TO_POLE)
    xs, ys = np.array([x - half, x, x + half, x]), np.array([y, y - half, y, y + half])
    longitudes, latitudes = transformer(crs, CRS84).transform(xs, ys)
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all() and (np.abs(latitudes) <= 90).all()):
        return Metres(nominal, nominal)
    _there, _back, lengths = _EARTH.inv(longitudes[:2], latitudes[:2], longitudes[2:], latitudes[2:])
    along_x, along_y = (float(length) / (2 * half) for length in lengths)
    return Metres(along_x, along_y) if along_x > 0 and along_y > 0 else Metres(nominal, nominal)


def metres_in_box(crs: Crs, box: BBox) -> Metres:
    """Return the length of a CRS unit in a box: in its middle, in degrees where it is nearest to the equator."""
    middle_x, middle_y = (box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2
    return metres_per_unit(crs, middle_x, min(max(0.0, box.ymin), box.ymax) if crs.is_geographic else middle_y)


def native_cell_m(native: NativeGrid) -> float:
    """Return the side of a square on the ground as large as the cell in the middle of a grid."""
    x, y = native.centre_of(native.height // 2, native.width // 2)
    unit = metres_per_unit(native.crs, x, y)
    return native.resolution * math.sqrt(unit.x * unit.y)
