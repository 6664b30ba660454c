"""Parameters of WMS requests turned into what the core understands."""

import re
from collections.abc import Mapping
from typing import Literal

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter, MissingParameter, OperationNotSupported, UnsupportedFormat
from chronotile.model.collection import Layer
from chronotile.model.crs import Crs
from chronotile.model.grid import BBox, Grid
from chronotile.model.request import PICTURE_FORMATS, MapRequest, PictureFormat
from chronotile.model.time import ABSENT, TimeSelection, parse_time
from chronotile.protocols.common.axis_order import as_xy
from chronotile.protocols.common.kvp import MAX_SHOWN, Kvp, integer, numbers, picture_reducer, value_range

Version = Literal["1.1.1", "1.3.0"]
Operation = Literal["GetCapabilities", "GetMap", "GetFeatureInfo"]

LAYER_LIMIT = 1
OPERATIONS: tuple[Operation, ...] = ("GetCapabilities", "GetMap", "GetFeatureInfo")
VERSIONS: Mapping[str, Version] = {"1.3.0": "1.3.0", "1.1.1": "1.1.1", "1.1.0": "1.1.1"}
"""Versions of GetMap with the one whose rules hold: that of 1.1.0 has the parameters of 1.1.1."""
EXCEPTION_FORMATS = ("XML", "APPLICATION/VND.OGC.SE_XML", "TEXT/XML")
FARTHEST = 1e15
"""A coordinate beyond is a mistake: next to it a float cannot tell decimetres."""

_VERSION = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?")
_COLOUR = re.compile(r"(?:0[xX]|#)?([0-9A-Fa-f]{6})")
_TRUTH = {"TRUE": True, "FALSE": False}


def crs_parameter(version: Version) -> str:
    """Return what the version calls the reference system."""
    return "CRS" if version == "1.3.0" else "SRS"


def operation(query: Kvp) -> Operation:
    """Return what is asked for.

    The bare address, which people paste, gives the capabilities.
    SERVICE must be given with GetCapabilities alone (WMS 1.3.0 §7.2.3.3, §7.3); both are taken in upper or lower case.

    Raises:
        ChronotileError: The service is another, or the operation is missing or not offered.
    """
    if query.is_empty:
        return "GetCapabilities"
    name = query.required("REQUEST")
    found = next((each for each in OPERATIONS if each.lower() == name.lower()), None)
    service = query.optional("SERVICE")
    if service is None and found == "GetCapabilities":
        raise MissingParameter("SERVICE is missing; it must be WMS", locator="SERVICE")
    if service is not None and service.upper() != "WMS":
        raise InvalidParameter(f"SERVICE must be WMS, got {service[:MAX_SHOWN]!r}", locator="SERVICE")
    if found is None:
        raise OperationNotSupported(
            f"REQUEST {name[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(OPERATIONS)}", locator="REQUEST"
        )
    return found


def negotiated_version(query: Kvp) -> Version:
    """Return the version in which the capabilities are given (WMS 1.3.0 §6.2.4).

    None asked gives the highest; another than those spoken the next lower one, or the lowest.

    Raises:
        InvalidParameter: The text is no version.
    """
    text = query.optional("VERSION")
    if text is None:
        return "1.3.0"
    found = _VERSION.fullmatch(text)
    if found is None:
        raise InvalidParameter(f"VERSION must be a version such as 1.3.0, got {text[:MAX_SHOWN]!r}", locator="VERSION")
    return "1.3.0" if tuple(int(part or 0) for part in found.groups()) >= (1, 3, 0) else "1.1.1"


def map_version(query: Kvp) -> Version:
    """Return the version whose rules a GetMap request follows.

    Raises:
        ChronotileError: It is missing or not spoken.
    """
    text = query.required("VERSION")
    if text not in VERSIONS:
        raise InvalidParameter(f"VERSION {text[:MAX_SHOWN]!r} is not spoken; use 1.3.0 or 1.1.1", locator="VERSION")
    return VERSIONS[text]


def map_request(query: Kvp, catalogue: Catalogue) -> MapRequest:
    """Return the map that GetMap asks for (WMS 1.3.0 §7.3.3).

    STYLES may be absent, which stands for the default style. As in ncWMS it may be `style/ramp`, and COLORSCALERANGE
    is the range of values that the ramp fills.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    version = map_version(query)
    _check_exceptions(query)
    layer_name, layer = _layer(query, catalogue)
    style, ramp = _style(query)
    crs = catalogue.offered_crs(query.required(crs_parameter(version)))
    grid = Grid(
        crs=crs,
        bbox=_bbox(query.required("BBOX"), crs, version),
        width=integer(query.required("WIDTH"), locator="WIDTH", least=1),
        height=integer(query.required("HEIGHT"), locator="HEIGHT", least=1),
    )
    media_type = _format(query)
    return MapRequest(
        layer=layer_name,
        grid=grid,
        time=_time(query, layer),
        style=style,
        ramp=ramp,
        range=_range(query),
        reducer=picture_reducer(query.optional("REDUCER"), locator="REDUCER"),
        format=media_type,
        background=_background(query, media_type),
    )


def _check_exceptions(query: Kvp) -> None:
    text = query.optional("EXCEPTIONS")
    if text is not None and text.upper() not in EXCEPTION_FORMATS:
        raise InvalidParameter(f"EXCEPTIONS {text[:MAX_SHOWN]!r} is not offered; leave it out", locator="EXCEPTIONS")


def _layer(query: Kvp, catalogue: Catalogue) -> tuple[str, Layer]:
    """The name and the layer; of several names one that is unknown is told before their number is."""
    names = [name.strip() for name in query.required("LAYERS").split(",")]
    layers = [catalogue.layer(name) for name in names]
    if len(layers) > LAYER_LIMIT:
        raise InvalidParameter(f"LAYERS names {len(names)} layers, LayerLimit is {LAYER_LIMIT}", locator="LAYERS")
    return names[0], layers[0]


def _style(query: Kvp) -> tuple[str, str | None]:
    names = [name.strip() for name in (query.optional("STYLES") or "").split(",")]
    if len(names) > LAYER_LIMIT:
        raise InvalidParameter(f"STYLES names {len(names)} styles for {LAYER_LIMIT} layer", locator="STYLES")
    style, _slash, ramp = names[0].partition("/")
    return style, ramp or None


def _range(query: Kvp) -> tuple[float, float] | None:
    text = query.optional("COLORSCALERANGE")
    return None if text is None else value_range(text, locator="COLORSCALERANGE")


def _bbox(text: str, crs: Crs, version: Version) -> BBox:
    """WMS 1.3.0 §7.3.3.6: BBOX is in the axis order of the CRS; in 1.1.1 it is x before y whatever the CRS says."""
    box = BBox(*numbers(text, 4, locator="BBOX"))
    if max(abs(edge) for edge in box) > FARTHEST:
        raise InvalidParameter(f"BBOX {text[:MAX_SHOWN]} lies beyond all coordinates", locator="BBOX")
    if box.xmin >= box.xmax or box.ymin >= box.ymax:
        raise InvalidParameter(
            f"BBOX {text[:MAX_SHOWN]} is empty: each minimum must be less than its maximum", locator="BBOX"
        )
    return as_xy(box, crs) if version == "1.3.0" else box


def _format(query: Kvp) -> PictureFormat:
    text = query.required("FORMAT")
    for media_type in PICTURE_FORMATS:
        if text == media_type:
            return media_type
    raise UnsupportedFormat(
        f"FORMAT {text[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(PICTURE_FORMATS)}", locator="FORMAT"
    )


def _time(query: Kvp, layer: Layer) -> TimeSelection:
    """A layer without time ignores TIME, so that it can be drawn beside others (OGC 12-111r1)."""
    return parse_time(query.optional("TIME")) if len(layer.times) else ABSENT


def _background(query: Kvp, media_type: PictureFormat) -> tuple[int, int, int] | None:
    """Opaque unless TRANSPARENT=TRUE (WMS 1.3.0 §7.3.3.9); JPEG cannot be anything else."""
    transparent = query.optional("TRANSPARENT") or "FALSE"
    if transparent.upper() not in _TRUTH:
        raise InvalidParameter(
            f"TRANSPARENT must be TRUE or FALSE, got {transparent[:MAX_SHOWN]!r}", locator="TRANSPARENT"
        )
    colour = query.optional("BGCOLOR") or "0xFFFFFF"
    found = _COLOUR.fullmatch(colour)
    if found is None:
        raise InvalidParameter(f"BGCOLOR must be 0xRRGGBB, got {colour[:MAX_SHOWN]!r}", locator="BGCOLOR")
    if _TRUTH[transparent.upper()] and media_type != "image/jpeg":
        return None
    red, green, blue = bytes.fromhex(found[1])
    return red, green, blue
