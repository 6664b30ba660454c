"""Boxes in requests of OGC API, in the axis order of their CRS."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs, HasCrs
from chronotile.protocols.common.openapi import BOX
from chronotile.protocols.common.query.crs import as_xy, check_degrees, named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, text
from chronotile.protocols.common.query.values import number

BBOX = text(
    "bbox",
    "Lower and upper corner in the axis order of `bbox-crs`, longitude first without it; heights are left out. Across "
    "the antimeridian the first longitude is greater than the second",
    schema=BOX,
)
BBOX_CRS = text("bbox-crs", "CRS of `bbox`, as a URI or a safe CURIE; default: CRS84")


def box_of(text: str, crs: Crs) -> BBox:
    """Return four or six numbers in the axis order of `crs` as a box with x first; heights are ignored.

    Edges may be equal. In a geographic CRS `xmin` may exceed `xmax`: the box crosses the antimeridian.

    Raises:
        InvalidParameter: Not 4 or 6 finite numbers, or a lower edge is above its upper edge.
    """
    parts = [part.strip() for part in text.split(",", 6)]
    if len(parts) not in (4, 6):
        message = f"bbox takes 4 numbers separated by commas, or 6 with heights, got {text[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator="bbox")
    edges = [number(part, locator="bbox") for part in parts]
    half = len(edges) // 2
    box = as_xy(BBox(edges[0], edges[1], edges[half], edges[half + 1]), crs)
    is_low_above = box.ymin > box.ymax or (box.xmin > box.xmax and not crs.is_geographic)
    if is_low_above or (half == 3 and edges[2] > edges[5]):
        raise InvalidParameter(
            f"bbox {text[:MAX_SHOWN]} has a lower edge above its upper edge; its numbers are in the axis order "
            f"of {crs.name[:MAX_SHOWN]}",
            locator="bbox",
        )
    return box


def requested_bbox(query: Kvp, owner: HasCrs, catalogue: Catalogue) -> tuple[BBox, Crs] | None:
    """Return the box of `bbox`, x first, and the CRS of `bbox-crs` (default CRS84); `None` without `bbox`.

    Raises:
        ChronotileError: `bbox` or `bbox-crs` is not accepted.
    """
    bbox, name = BBOX.optional(query), BBOX_CRS.optional(query)
    crs = CRS84 if name is None else named_crs(name, owner, catalogue, locator="bbox-crs")
    return None if bbox is None else (box_of(bbox, crs), crs)


def box_in_degrees(query: Kvp, parameter: Parameter[str]) -> BBox | None:
    """Return the box of a parameter in CRS84, or `None`; west exceeds east if it crosses the antimeridian.

    Raises:
        InvalidParameter: The value is not a box in degrees.
    """
    text = parameter.optional(query)
    if text is None:
        return None
    box = box_of(text, CRS84)
    check_degrees(box, CRS84, locator=parameter.name)
    return box
