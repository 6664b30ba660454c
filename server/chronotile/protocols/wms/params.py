"""Parameters of WMS requests turned into what the core understands."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import (
    MAX_SHOWN,
    CurrentUpdateSequence,
    InvalidParameter,
    InvalidUpdateSequence,
    LimitExceeded,
    OperationNotSupported,
    UnsupportedFormat,
)
from chronotile.model.collection import Layer
from chronotile.model.crs import Crs
from chronotile.model.grid import BBox, Grid
from chronotile.model.request import PICTURE_REDUCERS, MapRequest, PictureFormat, PlacedFormat
from chronotile.model.style import Colour
from chronotile.model.time.instants import ABSENT, TimeSelection
from chronotile.protocols.common.capabilities.update_sequence import sequence_order
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.axis_order import as_xy
from chronotile.protocols.common.query.kvp import Kvp, bbox
from chronotile.protocols.common.query.parameter import Parameter, choice, custom, keyword, text, times, whole
from chronotile.protocols.wms.colouring import COLOURS, colour, colour_range, colouring, style_and_ramp, truth
from chronotile.protocols.wms.frames import parse_frame_time
from chronotile.protocols.wms.groups import (
    LAYER_LIMIT,
    LAYERS,
    STYLES,
    check_count,
    expand_groups,
    refuse_styled_groups,
)
from chronotile.protocols.wms.own_styles import resolve_styles, sheets_of, with_layers

Version = Literal["1.1.1", "1.3.0"]
Operation = Literal["GetCapabilities", "GetMap", "GetFeatureInfo", "GetLegendGraphic", "GetStyles", "DescribeLayer"]

OPERATIONS: tuple[Operation, ...] = (
    *("GetCapabilities", "GetMap", "GetFeatureInfo", "GetLegendGraphic", "GetStyles", "DescribeLayer"),
)
VERSIONS: Mapping[str, Version] = {"1.3.0": "1.3.0", "1.3": "1.3.0", "1.1.1": "1.1.1", "1.1.0": "1.1.1", "1.1": "1.1.1"}
"""Versions of GetMap with the one whose rules hold: that of 1.1.0 has the parameters of 1.1.1."""
FORMATS: Mapping[str, PictureFormat | PlacedFormat] = {
    "image/png": "image/png",
    "image/png; mode=8bit": "image/png; mode=8bit",
    "image/jpeg": "image/jpeg",
    "image/webp": "image/webp",
    "image/gif": "image/gif",
    "image/tiff": "image/geotiff",
}
"""What maps are offered in."""
_OTHER_FORMATS: Mapping[str, str] = {
    "image/png24": "image/png",
    "image/png32": "image/png",
    "image/png8": "image/png; mode=8bit",
    "image/png;mode=8bit": "image/png; mode=8bit",
    "image/geotiff": "image/tiff",
    "image/jpg": "image/jpeg",
}
"""Other names of theirs that clients write."""
ExceptionFormat = Literal["XML", "INIMAGE", "BLANK", "JSON"]
EXCEPTION_FORMATS: Mapping[Version, Mapping[str, ExceptionFormat]] = {
    "1.3.0": {"XML": "XML", "INIMAGE": "INIMAGE", "BLANK": "BLANK", "JSON": "JSON"},
    "1.1.1": {
        "application/vnd.ogc.se_xml": "XML",
        "application/vnd.ogc.se_inimage": "INIMAGE",
        "application/vnd.ogc.se_blank": "BLANK",
        "application/json": "JSON",
    },
}
"""How exceptions are offered; the names of each version are taken in the other one too."""
FARTHEST = 1e15
"""A coordinate beyond is a mistake: next to it a float cannot tell decimetres."""


def _version(given: str) -> Version:
    if given not in VERSIONS:
        raise InvalidParameter(f"VERSION {given[:MAX_SHOWN]!r} is not supported; use 1.3.0 or 1.1.1", locator="VERSION")
    return VERSIONS[given]


def _box(given: str) -> BBox:
    box = bbox(given, locator="BBOX")
    if max(map(abs, box)) > FARTHEST:
        raise InvalidParameter(f"BBOX {given[:MAX_SHOWN]} lies beyond all coordinates", locator="BBOX")
    return box


REQUEST = keyword("REQUEST", "The operation", {each: each for each in OPERATIONS}, error=OperationNotSupported)
VERSION: Parameter[Version] = custom(
    "VERSION", "The version whose rules hold", _version, schema=enum_of(list(EXCEPTION_FORMATS))
)
CRS, SRS = (text(name, "The reference system of `BBOX`") for name in ("CRS", "SRS"))
BOX = custom("BBOX", "The extent; in 1.3.0 in the axis order of the CRS", _box)
WIDTH, HEIGHT = (whole(name, "Size of the picture, in pixels", least=1) for name in ("WIDTH", "HEIGHT"))
FORMAT = keyword(
    "FORMAT",
    "The media type of the picture",
    {each: each for each in FORMATS},
    others=_OTHER_FORMATS,
    error=UnsupportedFormat,
)
IS_TRANSPARENT = truth("TRANSPARENT", "Whether nothing lies under the map")
BACKGROUND = custom(
    "BGCOLOR", "What lies under the map: `0xRRGGBB`", partial(colour, locator="BGCOLOR"), default=Colour(255, 255, 255)
)
EXCEPTIONS: Parameter[ExceptionFormat] = keyword(
    "EXCEPTIONS",
    "How exceptions are written",
    EXCEPTION_FORMATS["1.3.0"],
    others={"text/xml": "XML", **EXCEPTION_FORMATS["1.1.1"]},
    default="XML",
)
TIME = text("TIME", "An instant, a list or an interval")
UPDATE_SEQUENCE = text("UPDATESEQUENCE", "That of the capabilities which the client holds")
REDUCER = choice("REDUCER", "Of several times", PICTURE_REDUCERS, default="latest", any_case=False)
DIFFERENCE = times("DIFFERENCE", "A second time, whose values are subtracted")
OF_MAP: tuple[Parameter[object], ...] = (
    *(VERSION, LAYERS, STYLES, CRS, SRS, BOX, WIDTH, HEIGHT, FORMAT, IS_TRANSPARENT, BACKGROUND, TIME),
    *(REDUCER, DIFFERENCE, *COLOURS, EXCEPTIONS),
)

_VERSION = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?")


def max_side(catalogue: Catalogue) -> int:
    """Return what capabilities of 1.3.0 tell as MaxWidth and MaxHeight: a square map of it is within `max_pixels`."""
    return math.isqrt(catalogue.limits.max_pixels)


def crs_parameter(version: Version) -> str:
    """Return what the version calls the reference system."""
    return (CRS if version == "1.3.0" else SRS).name


def operation(query: Kvp) -> Operation:
    """Return the request.

    The bare address, which people paste, gives the capabilities.
    SERVICE may be left out, also with GetCapabilities, where WMS 1.3.0 §7.2.3.3 has clients give it; both are taken in
    upper or lower case.

    Raises:
        ChronotileError: The service is another, or the operation is missing or not offered.
    """
    if query.is_empty:
        return "GetCapabilities"
    query.required(REQUEST.name)
    service = query.optional("SERVICE")
    if service is not None and service.upper() != "WMS":
        raise InvalidParameter(f"SERVICE must be WMS, got {service[:MAX_SHOWN]!r}", locator="SERVICE")
    return REQUEST.of(query)


def negotiated_version(query: Kvp) -> Version:
    """Return the version in which the capabilities are given (WMS 1.3.0 §6.2.4).

    Without one it is the highest; another than those supported gives the next lower one, or the lowest.

    Raises:
        InvalidParameter: The text is not a version.
    """
    text = query.optional("VERSION")
    if text is None:
        return "1.3.0"
    found = _VERSION.fullmatch(text)
    if found is None:
        raise InvalidParameter(f"VERSION must be a version such as 1.3.0, got {text[:MAX_SHOWN]!r}", locator="VERSION")
    return "1.3.0" if tuple(int(part or 0) for part in found.groups()) >= (1, 3, 0) else "1.1.1"


def check_update_sequence(query: Kvp, current: str | None) -> None:
    """Refuse a client that holds the current document, or a later one (WMS 1.3.0 §7.2.3.5); an earlier one gets it.

    Args:
        query: The request.
        current: The sequence of the document; without one UPDATESEQUENCE is ignored.

    Raises:
        CurrentUpdateSequence: As said.
        InvalidUpdateSequence: As said.
    """
    requested = UPDATE_SEQUENCE.given(query)
    if requested is None or current is None:
        return
    order = sequence_order(requested, current)
    if order == 0:
        raise CurrentUpdateSequence(f"UPDATESEQUENCE {current} is current", locator="UPDATESEQUENCE")
    if order > 0:
        raise InvalidUpdateSequence(
            f"UPDATESEQUENCE {requested[:MAX_SHOWN]!r} is later than the current {current}", locator="UPDATESEQUENCE"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WmsMap:
    """A map as WMS requests it."""

    layers: tuple[MapRequest, ...]
    """The first at the bottom (WMS 1.3.0 §7.3.3.3); all of one grid, format and background."""
    media_type: str
    """That the answer has: what FORMAT says."""


def wms_map(query: Kvp, catalogue: Catalogue) -> WmsMap:
    """Return the map that GetMap requests (WMS 1.3.0 §7.3.3).

    STYLES may be absent, which stands for default styles. As in ncWMS a style may be `style/ramp`, and COLORSCALERANGE
    is the range of values that the ramp fills; the colour parameters apply to all layers.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    version = VERSION.of(query)
    EXCEPTIONS.of(query)
    sheets = sheets_of(query)
    refuse_styled_groups(sheets, catalogue)
    query = expand_groups(with_layers(query, sheets), catalogue)
    layers = _layers(query, catalogue)
    crs = catalogue.crs_for_map(_crs_name(query, version))
    grid = Grid(
        crs=crs,
        bbox=_bbox(query, crs, version),
        width=WIDTH.of(query),
        height=HEIGHT.of(query),
    )
    if version == "1.3.0":  # 1.1.1 has no such limits
        _check_sides(grid, max_side(catalogue))
    media_type = FORMAT.of(query)
    named = _styles(query, layers)
    drawn = resolve_styles([(layer, style) for (_, layer), (style, _) in zip(layers, named, strict=True)], sheets)
    maps = []
    for (name, layer), (_, ramp), each in zip(layers, named, drawn, strict=True):
        maps.append(
            MapRequest(
                layer=name,
                grid=grid,
                time=_time(query, layer),
                fills_gaps=True,
                difference=requested_difference(query, layer),
                style=each.style,
                own_style=each.own_style,
                ramp=ramp,
                range=colour_range(query),
                colouring=colouring(query),
                reducer=REDUCER.of(query),
                format=FORMATS[media_type],
                background=background(query, media_type),
            )
        )
    return WmsMap(layers=tuple(maps), media_type=media_type)


def background(query: Kvp, media_type: str) -> tuple[int, int, int] | None:
    """Return what lies under a map: nothing with TRANSPARENT=TRUE (WMS 1.3.0 §7.3.3.9), but under JPEG always a colour.

    Raises:
        InvalidParameter: TRANSPARENT is neither TRUE nor FALSE, or BGCOLOR is not a colour.
    """
    is_transparent = IS_TRANSPARENT.of(query)
    red, green, blue, _alpha = BACKGROUND.of(query)
    return None if is_transparent and media_type != "image/jpeg" else (red, green, blue)


def requested_difference(query: Kvp, layer: Layer) -> TimeSelection | None:
    """Return the time that DIFFERENCE names, as TIME does; a layer without time ignores both.

    Raises:
        InvalidParameter: It is not a time.
    """
    if DIFFERENCE.given(query) is None or len(layer.times) == 0:
        return None
    return parse_frame_time(query.optional(DIFFERENCE.name), layer.times)  # a frame of an animation, as TIME


def _layers(query: Kvp, catalogue: Catalogue) -> list[tuple[str, Layer]]:
    """Names and layers; of as many as one map shows an unknown one is reported before their number is."""
    names = LAYERS.of(query)
    layers = [(name, catalogue.layer(name)) for name in names[:LAYER_LIMIT]]
    check_count(names, "LAYERS")
    return layers


def _styles(query: Kvp, layers: list[tuple[str, Layer]]) -> list[tuple[str, str | None]]:
    """Styles and ramps of the layers; what is empty or not there stands for the default."""
    names = STYLES.of(query)
    if len(names) > len(layers) and any(names):
        raise InvalidParameter(f"STYLES names {len(names)} styles for {len(layers)} layers", locator="STYLES")
    names = (names + ("",) * len(layers))[: len(layers)]
    return [
        style_and_ramp(name, [style.id for style in layer.styles])
        for name, (_name, layer) in zip(names, layers, strict=True)
    ]


def _check_sides(grid: Grid, most: int) -> None:
    """MaxWidth and MaxHeight are the most that a client may request (WMS 1.3.0 §7.2.4.3)."""
    for name, limit, size in (("WIDTH", "MaxWidth", grid.width), ("HEIGHT", "MaxHeight", grid.height)):
        if size > most:
            alternative = "request a smaller picture, or use tiles"
            raise LimitExceeded(limit, allowed=most, needed=size, alternative=alternative, locator=name)


def _crs_name(query: Kvp, version: Version) -> str:
    """What CRS names, in 1.1.1 SRS; the name of the other version is taken where that is missing."""
    named, other = (CRS, SRS) if version == "1.3.0" else (SRS, CRS)
    return named.given(query) or other.given(query) or named.of(query)


def is_quickly_read(query: Kvp, catalogue: Catalogue) -> bool:
    """Return whether a request is read without a style sheet and without asking PROJ, which take milliseconds."""
    named = [name for parameter in (CRS, SRS) if (name := parameter.given(query)) is not None]
    return query.optional("SLD_BODY") is None and all(map(catalogue.is_crs_for_map_known, named))


def _bbox(query: Kvp, crs: Crs, version: Version) -> BBox:
    """WMS 1.3.0 §7.3.3.6: BBOX is in the axis order of the CRS; in 1.1.1 it is x before y whatever the CRS says."""
    box = BOX.of(query)
    return as_xy(box, crs) if version == "1.3.0" else box


def _time(query: Kvp, layer: Layer) -> TimeSelection:
    """A layer without time ignores TIME, so that it can be drawn beside others (OGC 12-111r1)."""
    return parse_frame_time(TIME.given(query), layer.times) if len(layer.times) else ABSENT
