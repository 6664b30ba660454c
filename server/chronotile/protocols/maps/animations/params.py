"""Path and query of a time-lapse turned into a request."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.animation import (
    ANIMATION_LABELS,
    DEFAULT_FPS,
    LEAST_FPS,
    LEAST_SIDE_PX,
    MOST_FPS,
    AnimationLabel,
    AnimationRequest,
    grid_of_picture,
)
from chronotile.core.model.collection import Layer
from chronotile.core.model.crs import CRS84
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.grid import Grid
from chronotile.core.model.time.instants import Period
from chronotile.core.model.time.parser import requested_period
from chronotile.protocols.common.extent import longitude_latitude_box
from chronotile.protocols.common.query.kvp import Kvp, integer
from chronotile.protocols.common.query.parameter import Parameter, box, custom, datetime, names_of, number, text, whole
from chronotile.protocols.common.query.picture import COLOURS, EXPRESSION, REDUCER, REV, by_extension, map_request
from chronotile.protocols.common.query.place import requested_crs

FORMATS: Mapping[str, AnimationFormat] = {each.extension: each for each in AnimationFormat}

DEFAULT_FRAMES = 36
"""Of a request without times: a year of dekads."""


def _step(given: str) -> int | Period:
    if given.isdecimal() and given.isascii():
        return integer(given, locator="step", least=1)
    return requested_period(given, also="one frame every N times, ")


def _labels(given: str) -> frozenset[AnimationLabel]:
    names = [] if given == "none" else [name.strip() for name in given.split(",")]
    unknown = [name for name in names if name not in ANIMATION_LABELS]
    if unknown:
        raise InvalidParameter(
            f"labels {unknown[0][:MAX_SHOWN]!r} is not accepted; use none, or any of {', '.join(ANIMATION_LABELS)}",
            locator="labels",
        )
    return frozenset(label for label in ANIMATION_LABELS if label in names)


BBOX = box("bbox", "West, south, east, north; default: the layer's extent")
CRS = text("crs", "CRS of `bbox` and the pictures; default: CRS84")
WIDTH = whole("width", "In pixels; default: 640", least=LEAST_SIDE_PX)
HEIGHT = whole("height", "In pixels; default: square pixels on the ground", least=LEAST_SIDE_PX)
DATETIME = datetime("An instant, interval or list; default: all, of which the newest 36 frames")
STEP: Parameter[int | Period] = custom(
    "step", "Frames: one every N times, or one per period: `P1M`, `dekad`", _step, default=1
)
FPS = number("fps", "Frames per second; default: 4", least=LEAST_FPS, most=MOST_FPS, default=DEFAULT_FPS)
LABELS = custom(
    "labels",
    "`none`, or any of `date`, `legend`, `attribution`; default: all",
    _labels,
    default=frozenset(ANIMATION_LABELS),
)
OF_ANIMATION: tuple[Parameter[object], ...] = (
    *(BBOX, CRS, WIDTH, HEIGHT, DATETIME, STEP, FPS, LABELS, REDUCER, EXPRESSION, *COLOURS, REV),
)


def animation_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> AnimationRequest:
    """Return the time-lapse that `/animations/{layer}.{extension}` requests.

    Raises:
        ChronotileError: A name is unknown, or a parameter is not accepted.
    """
    query.check_names(names_of(OF_ANIMATION))
    layer, written = catalogue.layer(path["layer"]), by_extension(path["extension"], FORMATS)
    shown = map_request(layer, _grid(query, layer, catalogue), query, time=DATETIME.of(query))
    return AnimationRequest(
        shown=shown,
        format=written,
        step=STEP.of(query),
        fps=FPS.of(query),
        labels=LABELS.of(query),
        newest=DEFAULT_FRAMES if DATETIME.given(query) is None else None,
    )


def _grid(query: Kvp, layer: Layer, catalogue: Catalogue) -> Grid:
    """The box, its pixels square on the ground unless both sides are given."""
    crs = requested_crs(CRS.given(query), layer, catalogue)
    extent = BBOX.given(query)
    if extent is None:
        extent = longitude_latitude_box(layer) if crs == CRS84 else layer.main_variable.grid.bbox_in(crs)
    return grid_of_picture(crs, extent, width=WIDTH.given(query), height=HEIGHT.given(query))
