"""CRS as OGC's newer protocols spell them: URIs, URNs, CURIEs and labels."""

import math
import re

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnsupportedCrs, raised_as
from chronotile.core.model.crs import CRS84, Crs, HasCrs
from chronotile.core.model.grid import BBox
from chronotile.protocols.common.query.place import requested_crs

_URI = re.compile(
    r"(?:https?://www\.opengis\.net/def/crs/|urn:ogc:def:crs:)(?P<authority>[a-z]{2,10})[/:][0-9.]{0,10}[/:]"
    r"(?P<code>[a-z0-9]{1,12})",
    re.ASCII | re.IGNORECASE,
)


def accepted_crs(owner: HasCrs, catalogue: Catalogue) -> tuple[Crs, ...]:
    """Return the CRS in which a layer or set is answered: CRS84, those offered, its own and those of its scenes."""
    return tuple({crs.name: crs for crs in (CRS84, *catalogue.crs, *owner.own_crs)}.values())


def named_crs(name: str, owner: HasCrs, catalogue: Catalogue, *, locator: str = "crs") -> Crs:
    """Return the CRS that a URI, a CURIE (safe or not), a URN or the label `CRS84` names.

    Raises:
        UnsupportedCrs: It is neither offered nor the owner's own.
    """
    plain = name.removeprefix("[").removesuffix("]") if name[:1] + name[-1:] == "[]" else name
    found = _URI.fullmatch(plain)
    code = f"{found['authority']}:{found['code']}" if found else plain
    if code.upper() in {"CRS84", "OGC:CRS84", "CRS:84"}:
        return CRS84
    with raised_as(UnsupportedCrs, UnsupportedCrs, locator=locator):
        return requested_crs(code, owner, catalogue)


def check_degrees(box: BBox, crs: Crs, *, locator: str) -> None:
    """Make sure that a box in a geographic CRS has edges that are degrees, or open.

    Raises:
        InvalidParameter: One is more.
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
