"""Coordinate reference systems under one canonical name, and transforms between them."""

from dataclasses import dataclass, field
from functools import lru_cache

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from chronotile.errors import UnsupportedCrs


@dataclass(frozen=True, slots=True)
class Crs:
    """A coordinate reference system; equal when the canonical names are (comparing PROJ objects is slow)."""

    name: str
    """`EPSG:32631`, `OGC:CRS84`, or WKT where no authority names it."""
    definition: CRS = field(compare=False, repr=False)

    @property
    def is_geographic(self) -> bool:
        """Whether coordinates are longitude and latitude in degrees."""
        return bool(self.definition.is_geographic)

    @property
    def epsg(self) -> int | None:
        """The EPSG code, if the name is one."""
        authority, _, code = self.name.partition(":")
        return int(code) if authority == "EPSG" else None

    @property
    def metres_per_unit(self) -> float:
        """Length of one CRS unit; a degree counts 111319.49079327358 m (OGC 17-083r4 §6.1.1)."""
        if self.is_geographic:
            return 111319.49079327358
        return float(self.definition.axis_info[0].unit_conversion_factor) if self.definition.axis_info else 1.0


@lru_cache(maxsize=512)
def crs_of(text: str) -> Crs:
    """Return the system that an authority code, WKT, PROJ text or PROJJSON names.

    `CRS:84` and `OGC:CRS84` are one; a definition that is EPSG's or OGC's own goes under its code.

    Raises:
        UnsupportedCrs: PROJ does not know it.
    """
    spelled = "OGC:CRS84" if text.upper() in {"CRS:84", "OGC:CRS84", "CRS84"} else text
    try:
        definition = CRS.from_user_input(spelled)
    except CRSError as error:
        raise UnsupportedCrs(f"{text[:80]!r} is no known coordinate reference system", locator="crs") from error
    return Crs(_canonical_name(spelled, definition), definition)


def _canonical_name(spelled: str, definition: CRS) -> str:
    if spelled == "OGC:CRS84":
        return spelled
    authority = definition.to_authority(min_confidence=100)
    return f"{authority[0]}:{authority[1]}" if authority else str(definition.to_wkt())


@lru_cache(maxsize=512)
def transformer(source: Crs, target: Crs) -> Transformer:
    """Return the transform from `source` to `target`, x before y on both sides; it may be used by several threads."""
    return Transformer.from_crs(source.definition, target.definition, always_xy=True)


CRS84 = crs_of("OGC:CRS84")
WEB_MERCATOR = crs_of("EPSG:3857")
