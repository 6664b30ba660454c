"""Path and query of a map turned into what the core understands (OGC 20-058)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.crs import CRS84, Crs, transformer
from chronotile.model.grid import BBox, Grid, NativeGrid
from chronotile.protocols.common.openapi import NUMBER, PAIR, Json
from chronotile.protocols.common.query.axis_order import as_xy
from chronotile.protocols.common.query.kvp import Kvp, numbers
from chronotile.protocols.common.query.parameter import Parameter, custom, names_of, number, text, whole
from chronotile.protocols.ogcapi.crs import BBOX, BBOX_CRS, box_of, named_crs
from chronotile.protocols.ogcapi.maps.drawing import OF_DRAWING, Drawing, drawing_of
from chronotile.protocols.ogcapi.maps.viewport import WHOLE_CIRCLE, Viewport, box_to, data_box
from chronotile.protocols.ogcapi.subset import Subset

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
    subset: Subset
    query: Kvp
    default_crs: Crs

    def grid(self, catalogue: Catalogue) -> Grid:
        """Return the pixels of the map.

        Raises:
            ChronotileError: A parameter is not accepted, or does not go with another.
        """
        return _Reading(self, catalogue).viewport().grid(_natives(self.drawing))


def parse_map(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> MapQuery:
    """Return the map that a path and a query request.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    query.check_names(names_of(OF_MAP))
    drawing, subset = drawing_of(path, query, accept, catalogue)
    return MapQuery(drawing=drawing, subset=subset, query=query, default_crs=default_crs(path, drawing))


def default_crs(path: Mapping[str, str], drawing: Drawing) -> Crs:
    """Return the default CRS of a map (OGC 20-058 §7.2.2).

    Of a collection it is that of the data, if it has a URI; of the dataset, which is in many, CRS84.
    """
    own = drawing.layers[0].main_variable.grid.crs
    return own if "collectionId" in path and own.uri is not None else CRS84


class _Reading:
    """The parameters that say where a map is and how large."""

    def __init__(self, query: MapQuery, catalogue: Catalogue) -> None:
        self._kvp = query.query
        self._subset = query.subset
        self._drawing = query.drawing
        self._default_crs = query.default_crs
        self._catalogue = catalogue

    def viewport(self) -> Viewport:
        crs = self._crs(CRS, otherwise=self._default_crs)
        box, centre, pixel_m = self._box(crs), self._centre(crs), self._pixel_m()
        width, height = WIDTH.given(self._kvp), HEIGHT.given(self._kvp)
        if box is not None and centre is not None:
            raise InvalidParameter("center does not go with bbox or subset; give one of them", locator="center")
        if box is not None and pixel_m is not None and (width or height):
            raise InvalidParameter(
                "of bbox, scale-denominator and width or height two say all; leave one away",
                locator="scale-denominator",
            )
        return Viewport(crs=crs, box=box, centre=centre, width=width, height=height, pixel_m=pixel_m)

    def _crs(self, parameter: Parameter[str], *, otherwise: Crs = CRS84) -> Crs:
        name = parameter.given(self._kvp)
        if name is None:
            return otherwise
        return named_crs(name, self._drawing.layers[0], self._catalogue, locator=parameter.name)

    def _box(self, crs: Crs) -> BBox | None:
        given, bbox_crs, trim = BBOX.given(self._kvp), self._crs(BBOX_CRS), self._subset.trim
        if given is not None and trim is not None:
            raise InvalidParameter("subset has an axis that bbox has too; give one of them", locator="subset")
        if given is not None:
            return _in(crs, _solid(box_of(given, bbox_crs), bbox_crs, "bbox"), bbox_crs)
        if trim is None:
            return None
        closed = _closed(trim.box, data_box(_natives(self._drawing), trim.crs))
        return _in(crs, _solid(closed, trim.crs, "subset"), trim.crs)

    def _centre(self, crs: Crs) -> tuple[float, float] | None:
        centre, centre_crs = CENTER.given(self._kvp), self._crs(CENTER_CRS)
        if centre is None:
            return None
        x, y, _x, _y = as_xy(BBox(*centre, *centre), centre_crs)
        if centre_crs != crs:
            x, y = transformer(centre_crs, crs).transform(x, y)
        if not (abs(x) <= FARTHEST and abs(y) <= FARTHEST):
            raise InvalidParameter(
                f"center {centre[0]:g},{centre[1]:g} is not a place in {crs.name[:MAX_SHOWN]}", locator="center"
            )
        return float(x), float(y)

    def _pixel_m(self) -> float | None:
        size, scale = MM_PER_PIXEL.of(self._kvp), SCALE_DENOMINATOR.given(self._kvp)
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


def _natives(drawing: Drawing) -> list[NativeGrid]:
    return [layer.main_variable.grid for layer in drawing.layers]


def _closed(box: BBox, data: BBox) -> BBox:
    """The box with the edges of the data where it is open."""
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
