"""CRS of requests: their spellings (URI, URN, CURIE, label) and the axis order of coordinates."""

import math
import re
from collections.abc import Sequence

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnsupportedCrs, translate_error
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs, HasCrs, is_north_first

_URI = re.compile(
    r"(?:https?://www\.opengis\.net/def/crs/|urn:ogc:def:crs:)(?P<authority>[a-z]{2,10})[/:][0-9.]{0,10}[/:]"
    r"(?P<code>[a-z0-9]{1,12})",
    re.ASCII | re.IGNORECASE,
)


def accepted_crs(owner: HasCrs, catalogue: Catalogue) -> tuple[Crs, ...]:
    """Return the accepted CRSs: CRS84, CRSs of the service, and CRSs of the layer or place set and its pieces."""
    return tuple({crs.name: crs for crs in (CRS84, *catalogue.crs, *owner.all_native_crs)}.values())


def named_crs(name: str, owner: HasCrs, catalogue: Catalogue, *, locator: str = "crs") -> Crs:
    """Return the CRS that a URI, a CURIE (safe or not), a URN or the label `CRS84` names.

    Raises:
        UnsupportedCrs: Neither the service nor the owner offers it.
    """
    plain = name.removeprefix("[").removesuffix("]") if name[:1] + name[-1:] == "[]" else name
    uri = _URI.fullmatch(plain)
    code = f"{uri['authority']}:{uri['code']}" if uri else plain
    if code.upper() in {"CRS84", "OGC:CRS84", "CRS:84"}:
        return CRS84
    with translate_error(UnsupportedCrs, UnsupportedCrs, locator=locator):
        return requested_crs(code, owner, catalogue)


def check_degrees(box: BBox, crs: Crs, *, locator: str) -> None:
    """Check that the edges of a box in a geographic CRS are degrees or infinite (open).

    Raises:
        InvalidParameter: An edge is out of range.
    """
    if not crs.is_geographic:
        return
    for name, edges, most in (("longitude", box[::2], 360), ("latitude", box[1::2], 90)):
        wrong = [edge for edge in edges if math.isfinite(edge) and abs(edge) > most]
        if wrong:
            raise InvalidParameter(
                f"{locator} has a {name} of {wrong[0]:g}; they go from -{most} to {most} degrees, in the axis order of "
                f"{crs.name[:MAX_SHOWN]}",
                locator=locator,
            )


def requested_crs(name: str | None, owner: HasCrs, catalogue: Catalogue) -> Crs:
    """Return a CRS that the service or the owner offers; CRS84 if `name` is `None`.

    Raises:
        UnsupportedCrs: Neither offers it.
    """
    return CRS84 if name is None else catalogue.offered_crs(name, owner)


def as_xy(box: BBox, crs: Crs) -> BBox:
    """Return a box given in the axis order of `crs` as x before y."""
    return BBox(box.ymin, box.xmin, box.ymax, box.xmax) if is_north_first(crs) else box


def in_axis_order(coordinates: Sequence[float], crs: Crs) -> tuple[float, ...]:
    """Return `x, y` or `xmin, ymin, xmax, ymax` in the axis order of `crs`."""
    if not is_north_first(crs):
        return tuple(coordinates)
    return tuple(coordinate for x, y in zip(coordinates[::2], coordinates[1::2], strict=True) for coordinate in (y, x))
