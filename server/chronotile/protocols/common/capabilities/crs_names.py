"""Names of CRS in the capabilities of XML services."""

import re

from chronotile.core.model.space.crs import CRS84, Crs

_CODE = re.compile(r"(\w+):(\w+)")


def wms_name(crs: Crs) -> str | None:
    """Return `EPSG:3857` or `CRS:84` (WMS 1.3.0 §6.7.3, Annex B.2), or `None` for a CRS without a code."""
    if crs == CRS84:
        return "CRS:84"
    return crs.name if _CODE.fullmatch(crs.name) else None


def urn(crs: Crs) -> str | None:
    """Return the URN (OGC 07-092r1), or `None` for a CRS without a code; only CRS84 has a version."""
    if crs == CRS84:
        return "urn:ogc:def:crs:OGC:1.3:CRS84"
    code = _CODE.fullmatch(crs.name)
    return f"urn:ogc:def:crs:{code[1]}::{code[2]}" if code else None
