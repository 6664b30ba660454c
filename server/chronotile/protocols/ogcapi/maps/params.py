"""The path and the parameters of a map (OGC 20-058)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.core.model.types import Json
from chronotile.protocols.common.openapi import NUMBER, PAIR
from chronotile.protocols.common.query.crs import as_xy, named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, custom, names_of, number, text, whole
from chronotile.protocols.common.query.values import numbers
from chronotile.protocols.ogcapi.crs import BBOX, BBOX_CRS, box_of
from chronotile.protocols.ogcapi.maps.drawing import OF_DRAWING, Drawing, drawing_of
from chronotile.protocols.ogcapi.maps.viewport import WHOLE_CIRCLE, Viewport, box_to, data_box
from chronotile.protocols.ogcapi.subset import CoveragePart

FARTHEST = 1e15
"""Larger coordinates are errors: the precision of a float would exceed a decimetre."""
LEAST_PIXEL_M, GREATEST_PIXEL_M = 1e-6, 1e8
POSITIVE: Json = {**NUMBER, "minimum": 0, "exclusiveMinimum": True}
"""A schema of OpenAPI 3.0."""


def _centre(text: str) -> tuple[float, float]:
    first, second = numbers(text, 2, locator="center")
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
    """A map as requested. Its grid is computed in a thread, as PROJ needs milliseconds."""

    drawing: Drawing
    subset: CoveragePart
    query: Kvp
    default_crs: Crs
    catalogue: Catalogue

    def grid(self) -> Grid:
        """Return the grid of the map.

        Raises:
            ChronotileError: A parameter is not accepted, or contradicts another one.
        """
        crs = self._crs(CRS, otherwise=self.default_crs)
        box, centre, pixel_m = self._box(crs), self._centre(crs), self._pixel_m()
        width, height = WIDTH.optional(self.query), HEIGHT.optional(self.query)
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
        name = parameter.optional(self.query)
        if name is None:
            return otherwise
        return named_crs(name, self.drawing.layers[0], self.catalogue, locator=parameter.name)

    def _box(self, crs: Crs) -> BBox | None:
        bbox, bbox_crs, trim = BBOX.optional(self.query), self._crs(BBOX_CRS), self.subset.trim
        if bbox is not None and trim is not None:
            raise InvalidParameter("subset has an axis that bbox has too; give one of them", locator="subset")
        if bbox is not None:
            return _box_in_crs(crs, _require_extent(box_of(bbox, bbox_crs), bbox_crs, "bbox"), bbox_crs)
        if trim is None:
            return None
        trimmed_box = _close_edges(trim.box, data_box(self._natives, trim.crs))
        return _box_in_crs(crs, _require_extent(trimmed_box, trim.crs, "subset"), trim.crs)

    def _centre(self, crs: Crs) -> tuple[float, float] | None:
        centre, centre_crs = CENTER.optional(self.query), self._crs(CENTER_CRS)
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
        size, scale = MM_PER_PIXEL.value(self.query), SCALE_DENOMINATOR.optional(self.query)
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
    """Return the map requested by a path and a query.

    Raises:
        ChronotileError: A name does not exist, or a parameter is not accepted.
    """
    query.check_names(names_of(OF_MAP))
    drawing, subset = drawing_of(path, query, accept, catalogue)
    crs = default_crs(path, drawing)
    return MapQuery(drawing=drawing, subset=subset, query=query, default_crs=crs, catalogue=catalogue)


def default_crs(path: Mapping[str, str], drawing: Drawing) -> Crs:
    """Return the default CRS of a map (OGC 20-058 §7.2.2).

    A map of a collection has the native CRS if this has a URI. A map of the dataset, which has many, has CRS84.
    """
    native_crs = drawing.layers[0].main_variable.grid.crs
    return native_crs if "collectionId" in path and native_crs.uri is not None else CRS84


def _close_edges(box: BBox, data: BBox) -> BBox:
    # Open edges become edges of the data.
    return BBox(*(edge if math.isfinite(edge) else end for edge, end in zip(box, data, strict=True)))


def _require_extent(box: BBox, crs: Crs, locator: str) -> BBox:
    """Return the box if it has an extent; across the antimeridian its longitudes exceed 180."""
    if box.xmin > box.xmax:
        box = box._replace(xmax=box.xmax + WHOLE_CIRCLE)
    if box.xmin >= box.xmax or box.ymin >= box.ymax:
        raise InvalidParameter(f"{locator} is empty: a map needs an ascending interval of each axis", locator=locator)
    if max(abs(edge) for edge in box) > FARTHEST:
        raise InvalidParameter(f"{locator} lies beyond all coordinates of {crs.name[:MAX_SHOWN]}", locator=locator)
    return box


def _box_in_crs(target: Crs, box: BBox, source: Crs) -> BBox:
    converted = box_to(box, source, target)
    if (
        converted.xmin >= converted.xmax
        or converted.ymin >= converted.ymax
        or max(abs(edge) for edge in converted) > FARTHEST
    ):
        raise InvalidParameter(f"bbox has no extent in {target.name[:MAX_SHOWN]}", locator="bbox")
    return converted
