"""Coordinate reference systems in files, without texts that would make PROJ read files of this machine."""

import re

from chronotile.core.errors import UnsupportedCrs, UnsupportedSource, raised_instead
from chronotile.core.model.space.crs import CRS84, Crs, crs_of, transformer

MAX_LENGTH = 20_000
CONFIDENCE = 70
"""Minimum confidence in percent for recognising a definition as an EPSG code: spellings vary."""
UNKNOWN = "its coordinate reference system is unknown; use one of EPSG"
_CODE = re.compile(
    r"\w{2,12}:\w{1,20}|urn:(x-)?ogc:def:crs:[\w:.]{1,60}|https?://www\.opengis\.net/[\w/.#-]{1,80}|CRS84"
)
_WKT = re.compile(r"\s*[A-Za-z_]{6,20}\s*\[")
_PROJ4 = re.compile(r"EXTENSION\s*\[\s*\"PROJ4\"\s*,\s*\"([^\"]*)\"", re.IGNORECASE)
_NUMBERS_AND_NAMES = re.compile(
    r"\s*(\+(proj=(?!pipeline)\w+|nadgrids=@null|(datum|ellps|units|pm)=\w+|(?!\w*grids)\w+=[\d.,e-]+|\w+)(\s+|$))*"
)
"""Parameters of PROJ without names of files."""
_NAMES_FILES = re.compile(r'PARAMETERFILE|PARAMETER\s*\[\s*"([^"]|"")*"\s*,\s*"|METHOD\s*\[\s*"PROJ', re.IGNORECASE)
"""WKT with parameters that are files or texts, or methods in the words of PROJ."""


def crs_of_file(text: str) -> Crs:
    """Return the horizontal system that a code or WKT in a file names.

    Raises:
        UnsupportedSource: It is unknown or not of a map, or its definition names a file, such as a grid of shifts.
    """
    extensions = _PROJ4.findall(text)
    is_named = len(text) <= MAX_LENGTH and (_CODE.fullmatch(text) or _WKT.match(text))
    if (
        not is_named
        or len(extensions) != text.upper().count("EXTENSION")
        or not all(map(_NUMBERS_AND_NAMES.fullmatch, extensions))
    ):
        raise UnsupportedSource(UNKNOWN)
    with raised_instead((UnsupportedCrs, RecursionError), UnsupportedSource(UNKNOWN)):
        crs = crs_of(text)
        if crs.definition.is_compound:
            crs = crs_of(crs.definition.sub_crs_list[0].to_wkt())
        definition = crs.definition
        names_files = crs.uri is None and _NAMES_FILES.search(definition.to_wkt())
        if names_files or not (definition.is_geographic or definition.is_projected):
            raise UnsupportedSource(UNKNOWN)
        code = definition.to_epsg(min_confidence=CONFIDENCE) if crs.uri is None else None
        named = crs_of(crs.name if code is None else f"EPSG:{code}")
        transformer(named, CRS84)
    return named
