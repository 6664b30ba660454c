"""Path and query of a time-lapse turned into a request."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN, InvalidParameter, UnknownPath
from chronotile.model.animation import (
    ANIMATION_LABELS,
    DEFAULT_FPS,
    LEAST_FPS,
    MOST_FPS,
    AnimationFormat,
    AnimationLabel,
    AnimationRequest,
)
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, Crs
from chronotile.model.grid import BBox, Grid
from chronotile.model.request import MapRequest
from chronotile.model.square_pixels import LEAST_SIDE_PX, grid_of_picture
from chronotile.model.time.calendar_step import asked_period
from chronotile.model.time.instants import Period
from chronotile.protocols.common.extent import longitude_latitude_box
from chronotile.protocols.common.query.kvp import (
    Kvp,
    bbox,
    colouring_of,
    datetime_of,
    difference_of,
    integer,
    number,
    picture_reducer,
    value_range,
)
from chronotile.protocols.common.query.place import asked_crs

FORMATS: Mapping[str, AnimationFormat] = {"gif": "image/gif", "webp": "image/webp", "mp4": "video/mp4"}
PARAMETERS = (
    *("bbox", "crs", "width", "height", "datetime", "step", "fps", "labels"),
    *("style", "range", "ramp", "reversed", "logarithmic", "reducer", "expression", "difference", "rev"),
)


def animation_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> AnimationRequest:
    """Return the time-lapse that `/animations/{layer}.{extension}` asks for.

    Raises:
        ChronotileError: A name is unknown, or a parameter is not accepted.
    """
    query.check_spelling(PARAMETERS)
    layer = catalogue.layer(path["layer"])
    extension, range_text = path["extension"], query.optional("range")
    if extension not in FORMATS:
        raise UnknownPath(
            f"extension {extension[:20]!r} is not offered; accepted are {', '.join(FORMATS)}", locator="format"
        )
    shown = MapRequest(
        layer=layer.id,
        grid=_grid(query, layer, catalogue),
        time=datetime_of(query),
        difference=difference_of(query.optional("difference"), locator="difference"),
        style=query.optional("style") or "",
        range=None if range_text is None else value_range(range_text, locator="range"),
        ramp=query.optional("ramp"),
        colouring=colouring_of(query),
        reducer=picture_reducer(query.optional("reducer"), locator="reducer"),
        expression=query.optional("expression"),
    )
    return AnimationRequest(
        shown=shown, format=FORMATS[extension], step=_step(query), fps=_fps(query), labels=_labels(query)
    )


def _grid(query: Kvp, layer: Layer, catalogue: Catalogue) -> Grid:
    """The box, its pixels square on the ground unless both sides are asked for."""
    crs = asked_crs(query.optional("crs"), layer, catalogue)
    text = query.optional("bbox")
    box = _extent(layer, crs) if text is None else bbox(text, locator="bbox")
    return grid_of_picture(crs, box, width=_side(query, "width"), height=_side(query, "height"))


def _extent(layer: Layer, crs: Crs) -> BBox:
    return longitude_latitude_box(layer) if crs == CRS84 else layer.main_variable.grid.bbox_in(crs)


def _side(query: Kvp, name: str) -> int | None:
    text = query.optional(name)
    return None if text is None else integer(text, locator=name, least=LEAST_SIDE_PX)


def _step(query: Kvp) -> int | Period:
    text = query.optional("step") or "1"
    if text.isdecimal() and text.isascii():
        return integer(text, locator="step", least=1)
    return asked_period(text, also="every how many times one is a frame, ")


def _fps(query: Kvp) -> float:
    text = query.optional("fps")
    if text is None:
        return DEFAULT_FPS
    fps = number(text, locator="fps")
    if not LEAST_FPS <= fps <= MOST_FPS:
        raise InvalidParameter(
            f"fps must be {LEAST_FPS:g} to {MOST_FPS:g} frames a second, got {text[:MAX_SHOWN]}", locator="fps"
        )
    return fps


def _labels(query: Kvp) -> frozenset[AnimationLabel]:
    text = query.optional("labels")
    if text is None:
        return frozenset(ANIMATION_LABELS)
    names = [] if text == "none" else [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in ANIMATION_LABELS]
    if unknown:
        raise InvalidParameter(
            f"labels {unknown[0][:MAX_SHOWN]!r} is not accepted; use none, or any of {', '.join(ANIMATION_LABELS)}",
            locator="labels",
        )
    return frozenset(label for label in ANIMATION_LABELS if label in names)
