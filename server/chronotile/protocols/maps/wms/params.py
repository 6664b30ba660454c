"""Parameters of WMS, parsed into requests of the core."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import numpy as np

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import (
    MAX_SHOWN,
    InvalidParameter,
    OperationNotSupported,
    UnknownStyle,
    UnsupportedFormat,
    require_at_most,
)
from chronotile.core.model.collection import Collection, Layer
from chronotile.core.model.formats import DrawnFormat, MapFormat
from chronotile.core.model.request import PICTURE_REDUCERS, MapRequest
from chronotile.core.model.series.analysis import ANOMALY_KINDS
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.style import Colour
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DAY, TimeSpan
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import Instant
from chronotile.pipeline.styling.read_sld import SheetLayer
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query import picture, values
from chronotile.protocols.common.query.crs import as_xy
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import (
    Parameter,
    choice,
    custom,
    keyword,
    name_list,
    text,
    times,
    whole,
)
from chronotile.protocols.maps.wms import colouring

LAYER_LIMIT = 20
"""Maximum number of names in LAYERS and QUERY_LAYERS (WMS 1.3.0 §7.2.4.3), and of layers in a group.

So a map has at most 400 layers; `max_cube_values` limits their pixels together.
"""
LAYERS = name_list("LAYERS", "Layers, the first at the bottom")
STYLES = name_list("STYLES", "One per layer, `style` or `style/ramp`; empty for the default", default=("",))


def layers_in(name: str, catalogue: Catalogue) -> tuple[Layer, ...]:
    """Return the layers of a group, the first at the bottom; empty if the name is not a collection.

    Raises:
        InvalidParameter: The collection has more layers than a map may show.
    """
    collection = catalogue.collections_by_id.get(name)
    if collection is None:
        return ()
    count = len(collection.layers)
    if count > LAYER_LIMIT:
        message = f"{name} is a collection of {count} layers, LayerLimit is {LAYER_LIMIT}; name its layers"
        raise InvalidParameter(message, locator="LAYERS")
    return collection.layers


def named_groups(catalogue: Catalogue, listed: frozenset[str]) -> tuple[Collection, ...]:
    """Return the collections that capabilities offer as layers: they have 2 to 20 layers, all of them in `listed`.

    A collection of one layer would only repeat that layer.
    """
    return tuple(
        collection
        for collection in catalogue.collections
        if 1 < len(collection.layers) <= LAYER_LIMIT and all(layer.id in listed for layer in collection.layers)
    )


def names_of(name: str, style: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the ids of the layers of a group, else the name itself. A group has only the default style.

    Raises:
        UnknownStyle: Another style was requested for a group.
        InvalidParameter: The group has too many layers.
    """
    members = layers_in(name, catalogue)
    if members and style not in {"", "default"}:
        raise UnknownStyle(
            f"style {style[:MAX_SHOWN]!r} is not one of {name}, a group of layers; leave it empty", locator="STYLES"
        )
    return tuple(layer.id for layer in members) or (name,)


def check_count(names: Sequence[str], parameter: str) -> None:
    """Refuse more names than `LAYER_LIMIT`.

    Raises:
        InvalidParameter: `names` has more.
    """
    if len(names) > LAYER_LIMIT:
        raise InvalidParameter(f"{parameter} names {len(names)} layers, LayerLimit is {LAYER_LIMIT}", locator=parameter)


def refuse_styled_groups(sheets: Sequence[SheetLayer], catalogue: Catalogue) -> None:
    """Refuse SLD that defines styles for a group: only layers have styles.

    Raises:
        UnknownStyle: The SLD styles a group.
    """
    for sheet in sheets:
        if sheet.styles and sheet.name in catalogue.collections_by_id:
            raise UnknownStyle(
                f"the SLD styles {sheet.name[:MAX_SHOWN]}, a group of layers; name its layers instead", locator="sld"
            )


def expand_groups(query: Kvp, catalogue: Catalogue) -> Kvp:
    """Return the parameters with each group replaced by its layers, in their default styles.

    Raises:
        UnknownLayer: A name among the first `LAYER_LIMIT` is unknown.
        UnknownStyle: Another style was requested for a group.
        InvalidParameter: LAYERS has too many names, a group too many layers, or STYLES more names than LAYERS.
    """
    names = LAYERS.value(query)
    if len(names) > LAYER_LIMIT:
        for name in names[:LAYER_LIMIT]:
            if name not in catalogue.collections_by_id:
                catalogue.layer(name)
        check_count(names, "LAYERS")
    members = {name: layers_in(name, catalogue) for name in set(names)}
    if not any(members.values()):
        return query
    styles = STYLES.value(query)
    if len(styles) > len(names) and any(styles):
        raise InvalidParameter(f"STYLES names {len(styles)} styles for {len(names)} layers", locator="STYLES")
    opened: list[tuple[str, str]] = []
    for name, style in zip(names, styles + ("",) * len(names), strict=False):
        member_names = names_of(name, style, catalogue)
        opened += [(member, "") for member in member_names] if members[name] else [(name, style)]
    opened_names, opened_styles = zip(*opened, strict=True)
    return query.replace("LAYERS", ",".join(opened_names)).replace("STYLES", ",".join(opened_styles))


WmsVersion = Literal["1.1.1", "1.3.0"]
WmsOperation = Literal["GetCapabilities", "GetMap", "GetFeatureInfo", "GetLegendGraphic", "GetStyles", "DescribeLayer"]

OPERATIONS: tuple[WmsOperation, ...] = get_args(WmsOperation)
VERSIONS: Mapping[str, WmsVersion] = {
    "1.3.0": "1.3.0",
    "1.3": "1.3.0",
    "1.1.1": "1.1.1",
    "1.1.0": "1.1.1",
    "1.1": "1.1.1",
}
"""Accepted versions with the version whose rules apply: 1.1.0 has the parameters of 1.1.1."""
FORMATS: Mapping[str, DrawnFormat] = {
    **{f: f for f in (MapFormat.PNG, MapFormat.PNG8, MapFormat.JPEG, MapFormat.WEBP, MapFormat.GIF)},
    "image/tiff": MapFormat.GEOTIFF,
}
"""Map formats by advertised media type."""
_OTHER_FORMATS: Mapping[str, str] = {
    "image/png24": MapFormat.PNG,
    "image/png32": MapFormat.PNG,
    "image/png8": MapFormat.PNG8,
    "image/png;mode=8bit": MapFormat.PNG8,
    "image/geotiff": "image/tiff",
    "image/jpg": MapFormat.JPEG,
}
"""Media types that clients send for the same formats."""
ExceptionFormat = Literal["XML", "INIMAGE", "BLANK", "JSON"]
EXCEPTION_FORMATS: Mapping[WmsVersion, Mapping[str, ExceptionFormat]] = {
    "1.3.0": {f: f for f in get_args(ExceptionFormat)},
    "1.1.1": {
        "application/vnd.ogc.se_xml": "XML",
        "application/vnd.ogc.se_inimage": "INIMAGE",
        "application/vnd.ogc.se_blank": "BLANK",
        "application/json": "JSON",
    },
}
"""Exception formats by advertised name; names of one version are accepted in the other version too."""
FARTHEST = 1e15
"""Larger coordinates are errors: floating-point numbers there are more than a decimetre apart."""


def _version(text: str) -> WmsVersion:
    if text not in VERSIONS:
        raise InvalidParameter(f"VERSION {text[:MAX_SHOWN]!r} is not supported; use 1.3.0 or 1.1.1", locator="VERSION")
    return VERSIONS[text]


def _box(text: str) -> BBox:
    box = values.bbox(text, locator="BBOX")
    if max(map(abs, box)) > FARTHEST:
        raise InvalidParameter(f"BBOX {text[:MAX_SHOWN]} lies beyond all coordinates", locator="BBOX")
    return box


REQUEST = keyword("REQUEST", "The operation", {name: name for name in OPERATIONS}, error=OperationNotSupported)
VERSION: Parameter[WmsVersion] = custom(
    "VERSION", "The version whose rules hold", _version, schema=enum_of(list(EXCEPTION_FORMATS))
)
CRS, SRS = (text(name, "The reference system of `BBOX`") for name in ("CRS", "SRS"))
BOX = custom("BBOX", "The extent; in 1.3.0 in the axis order of the CRS", _box)
WIDTH, HEIGHT = (whole(name, "Size of the picture, in pixels", least=1) for name in ("WIDTH", "HEIGHT"))
FORMAT = keyword(
    "FORMAT",
    "The media type of the picture",
    {f: f for f in FORMATS},
    aliases=_OTHER_FORMATS,
    error=UnsupportedFormat,
)
IS_TRANSPARENT = colouring.truth("TRANSPARENT", "Whether nothing lies under the map")
BACKGROUND = custom(
    "BGCOLOR",
    "What lies under the map: `0xRRGGBB`",
    partial(colouring.colour, locator="BGCOLOR"),
    default=Colour(255, 255, 255),
)
EXCEPTIONS: Parameter[ExceptionFormat] = keyword(
    "EXCEPTIONS",
    "How exceptions are written",
    EXCEPTION_FORMATS["1.3.0"],
    aliases={"text/xml": "XML", **EXCEPTION_FORMATS["1.1.1"]},
    default="XML",
)
TIME = text("TIME", "An instant, a list or an interval")
REDUCER = choice(
    "REDUCER", "Of several times; default: `latest`, of an anomaly `mean`", PICTURE_REDUCERS, any_case=False
)
DIFFERENCE = times("DIFFERENCE", "A second time, whose values are subtracted")
ANOMALY = choice("ANOMALY", picture.ANOMALY.description, ANOMALY_KINDS, any_case=False)
REFERENCE = times("REFERENCE", picture.REFERENCE.description)
OF_MAP: tuple[Parameter[object], ...] = (
    *(VERSION, LAYERS, STYLES, CRS, SRS, BOX, WIDTH, HEIGHT, FORMAT, IS_TRANSPARENT, BACKGROUND, TIME),
    *(REDUCER, DIFFERENCE, ANOMALY, REFERENCE, *colouring.COLOURS, EXCEPTIONS),
)

_VERSION = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?")


def max_side(catalogue: Catalogue) -> int:
    """Return MaxWidth and MaxHeight (1.3.0): a square of this side has at most `max_pixels` pixels."""
    return math.isqrt(catalogue.limits.max_pixels)


def crs_parameter(version: WmsVersion) -> str:
    """Return the name of the CRS parameter in a version."""
    return (CRS if version == "1.3.0" else SRS).name


def operation(query: Kvp) -> WmsOperation:
    """Return the requested operation.

    A URL without parameters, as users paste it, requests the capabilities. SERVICE is optional, although
    WMS 1.3.0 §7.2.3.3 requires it in GetCapabilities. Both parameters are case-insensitive.

    Raises:
        ChronotileError: SERVICE is not WMS, or the operation is missing or not offered.
    """
    if query.is_empty:
        return "GetCapabilities"
    query.require(REQUEST.name)
    service = query.optional("SERVICE")
    if service is not None and service.upper() != "WMS":
        raise InvalidParameter(f"SERVICE must be WMS, got {service[:MAX_SHOWN]!r}", locator="SERVICE")
    return REQUEST.value(query)


def negotiated_version(query: Kvp) -> WmsVersion:
    """Return the version of the capabilities (WMS 1.3.0 §6.2.4).

    The default is the highest version; an unsupported version gets the next lower one, or the lowest.

    Raises:
        InvalidParameter: The text is not a version.
    """
    text = query.optional("VERSION")
    if text is None:
        return "1.3.0"
    match = _VERSION.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"VERSION must be a version such as 1.3.0, got {text[:MAX_SHOWN]!r}", locator="VERSION")
    return "1.3.0" if tuple(int(part or 0) for part in match.groups()) >= (1, 3, 0) else "1.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class WmsMap:
    """A map as WMS requests it."""

    layers: tuple[MapRequest, ...]
    """The first at the bottom (WMS 1.3.0 §7.3.3.3); all have the same grid, format and background."""
    media_type: str
    """Media type of the answer: the requested FORMAT."""


def wms_map(query: Kvp, catalogue: Catalogue) -> WmsMap:
    """Return the map that GetMap requests (WMS 1.3.0 §7.3.3).

    STYLES is optional; missing styles are the defaults. As in ncWMS, a style may be `style/ramp`, and COLORSCALERANGE
    is the range of values of the ramp. Colour parameters apply to all layers.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    version = VERSION.value(query)
    EXCEPTIONS.value(query)
    sheets = colouring.sheets_of(query)
    refuse_styled_groups(sheets, catalogue)
    query = expand_groups(colouring.add_layers(query, sheets), catalogue)
    layers = [(name, catalogue.layer(name)) for name in LAYERS.value(query)]
    # The CRS is CRS in 1.3.0 and SRS in 1.1.1; the other parameter is accepted if that one is missing.
    naming, other = (CRS, SRS) if version == "1.3.0" else (SRS, CRS)
    crs = catalogue.crs_for_map(naming.optional(query) or other.optional(query) or naming.value(query))
    box = BOX.value(query)
    # WMS 1.3.0 §7.3.3.6: BBOX is in the axis order of the CRS; in 1.1.1 x always comes before y.
    bbox = as_xy(box, crs) if version == "1.3.0" else box
    grid = Grid(crs=crs, bbox=bbox, width=WIDTH.value(query), height=HEIGHT.value(query))
    if version == "1.3.0":  # 1.1.1 does not have these limits
        _check_sides(grid, max_side(catalogue))
    media_type = FORMAT.value(query)
    styles_and_ramps = _styles(query, layers)
    styled_layers = colouring.resolve_styles(
        [(layer, style) for (_, layer), (style, _) in zip(layers, styles_and_ramps, strict=True)], sheets
    )
    anomaly = picture.anomaly_of(query, ANOMALY, REFERENCE)
    maps = tuple(
        MapRequest(
            layer=name,
            grid=grid,
            # A layer without time ignores TIME, so that it can be drawn together with others (OGC 12-111r1).
            time=parse_frame_time(TIME.optional(query), layer.times) if len(layer.times) else ABSENT,
            fills_gaps=True,
            difference=requested_difference(query, layer),
            style=styled.style,
            own_style=styled.own_style,
            ramp=ramp,
            range=colouring.colour_range(query),
            colouring=colouring.colouring(query),
            reducer=picture.reducer_of(query, anomaly, REDUCER),
            anomaly=anomaly,
            format=FORMATS[media_type],
            background=background(query, FORMATS[media_type]),
        )
        for (name, layer), (_, ramp), styled in zip(layers, styles_and_ramps, styled_layers, strict=True)
    )
    return WmsMap(layers=maps, media_type=media_type)


def background(query: Kvp, format: MapFormat) -> tuple[int, int, int] | None:
    """Return the colour under a map; `None` with TRANSPARENT=TRUE (WMS 1.3.0 §7.3.3.9) if the format has alpha.

    Raises:
        InvalidParameter: TRANSPARENT is neither TRUE nor FALSE, or BGCOLOR is not a colour.
    """
    is_transparent = IS_TRANSPARENT.value(query)
    red, green, blue, _alpha = BACKGROUND.value(query)
    return None if is_transparent and format.has_alpha else (red, green, blue)


def requested_difference(query: Kvp, layer: Layer) -> TimeSelection | None:
    """Return the time of DIFFERENCE, parsed like TIME; a layer without time ignores both.

    Raises:
        InvalidParameter: The text is not a time.
    """
    if DIFFERENCE.optional(query) is None or len(layer.times) == 0:
        return None
    # It may name a frame of an animation, like TIME.
    return parse_frame_time(query.optional(DIFFERENCE.name), layer.times)


def _styles(query: Kvp, layers: list[tuple[str, Layer]]) -> list[tuple[str, str | None]]:
    """Return style and ramp of each layer; an empty or missing member of STYLES means the default."""
    names = STYLES.value(query)
    if len(names) > len(layers) and any(names):
        raise InvalidParameter(f"STYLES names {len(names)} styles for {len(layers)} layers", locator="STYLES")
    names = (names + ("",) * len(layers))[: len(layers)]
    return [
        colouring.style_and_ramp(name, [style.id for style in layer.styles])
        for name, (_name, layer) in zip(names, layers, strict=True)
    ]


def _check_sides(grid: Grid, most: int) -> None:
    """Refuse sides above MaxWidth and MaxHeight (WMS 1.3.0 §7.2.4.3)."""
    for name, limit, size in (("WIDTH", "MaxWidth", grid.width), ("HEIGHT", "MaxHeight", grid.height)):
        alternative = "request a smaller picture, or use tiles"
        require_at_most(limit, size, most, alternative=alternative, locator=name)


def is_quickly_read(query: Kvp, catalogue: Catalogue) -> bool:
    """Return whether a request is parsed without SLD and without PROJ, which take milliseconds."""
    crs_names = [name for parameter in (CRS, SRS) if (name := parameter.optional(query)) is not None]
    return query.optional("SLD_BODY") is None and all(map(catalogue.is_crs_for_map_known, crs_names))


# TIME of clients that play animations: consecutive frames.

_CLOCK = re.compile(r"\d[Tt ]\d|^\d{12,13}$", re.ASCII)
"""A time of day, or a number of milliseconds since 1970."""


def parse_frame_time(text: str | None, domain: TimeDomain) -> TimeSelection:
    """Return the times that TIME selects; an interval may be a frame of an animation.

    The frame of June is `2020-06-01T00:00:00Z/2020-07-01T00:00:00Z`, and the frame of July starts at its end. So the
    end is exclusive if the interval is written with times of day, its end is an instant of the layer, and it either
    consists of whole days or contains exactly one earlier instant. Ends of other intervals and of lists are inclusive
    (WMS 1.3.0 Annex D).

    Raises:
        InvalidParameter: The text is not a time.
    """
    selection = parse_time(text)
    ends = [] if text is None else [end.strip() for end in text.split("/")]
    if len(selection.parts) != 1 or len(ends) != 2 or not all(_CLOCK.search(end) for end in ends):
        return selection
    part = selection.parts[0]
    start, end = part.span.start, parse_time(ends[1]).parts[0].span.start
    if start >= end or not np.any(domain.starts == end):
        return selection
    earlier_count = len(domain.indexes_within(TimeSpan(start, end)))
    if earlier_count == 1 or (_is_midnight(start) and _is_midnight(end)):
        return replace(selection, parts=(replace(part, span=TimeSpan(start, end)),))
    return selection


def _is_midnight(instant: Instant) -> bool:
    return bool(instant.astype(np.int64) % DAY.astype(np.int64) == 0)
