"""`/animations`: time-lapses as GIF, WebP and MP4."""

import math
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.cancellation import IsActive
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.animation import (
    ANIMATION_LABELS,
    DEFAULT_FPS,
    MAX_FPS,
    MIN_FPS,
    AnimationLabel,
    AnimationRequest,
)
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.boxes import require_place
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.space.picture_grid import MIN_SIDE_PX, grid_of_picture
from chronotile.core.model.time.period_parser import requested_period
from chronotile.core.model.time.periods import Period
from chronotile.http.bodies import BodyResponse
from chronotile.http.cache_headers import cache_headers, format_times_used
from chronotile.http.if_none_match import client_etags
from chronotile.http.job_offers import JobOffer, offer_job
from chronotile.http.problems import dated_problem
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import ANIMATIONS, PICTURES
from chronotile.jobs.processes.animation import MAX_PIXELS
from chronotile.pipeline.caches.answer_memory import LIMIT as MEMORY
from chronotile.pipeline.estimate import LIMIT
from chronotile.pipeline.maps.animation import AnimationPayload, find_animation, render_animation
from chronotile.protocols.common.extent import longitude_latitude_box
from chronotile.protocols.common.job_inputs import bbox_input, datetime_input
from chronotile.protocols.common.openapi import FILE, extension_in_path
from chronotile.protocols.common.operation import Operation, routes_of, segment
from chronotile.protocols.common.query.crs import requested_crs
from chronotile.protocols.common.query.immutable_answers import REV, RevisionCheck
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, box, custom, datetime, names_of, number, text, whole
from chronotile.protocols.common.query.picture import COLOURS, EXPRESSION, REDUCER, format_of_extension, map_request
from chronotile.protocols.common.query.values import integer

FORMATS: Mapping[str, AnimationFormat] = {f.extension: f for f in AnimationFormat}

DEFAULT_FRAMES = 36
"""Frames of an animation requested without times: a year of dekads."""


def _step(text: str) -> int | Period:
    if text.isdecimal() and text.isascii():
        return integer(text, locator="step", least=1)
    return requested_period(text, also="one frame every N times, ")


def _labels(text: str) -> frozenset[AnimationLabel]:
    names = [] if text == "none" else [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in ANIMATION_LABELS]
    if unknown:
        accepted = f"use none, or any of {', '.join(ANIMATION_LABELS)}"
        raise InvalidParameter(f"labels {unknown[0][:MAX_SHOWN]!r} is not accepted; {accepted}", locator="labels")
    return frozenset(label for label in ANIMATION_LABELS if label in names)


BBOX = box("bbox", "West, south, east, north; default: the layer's extent", may_cross=True)
CRS = text("crs", "CRS of `bbox` and the pictures; default: CRS84")
WIDTH = whole("width", "In pixels; default: 640", least=MIN_SIDE_PX)
HEIGHT = whole("height", "In pixels; default: square pixels on the ground", least=MIN_SIDE_PX)
DATETIME = datetime("An instant, interval or list; default: all, of which the newest 36 frames")
STEP: Parameter[int | Period] = custom(
    "step", "Frames: one every N times, or one per period: `P1M`, `dekad`", _step, default=1
)
FPS = number("fps", "Frames per second; default: 4", least=MIN_FPS, most=MAX_FPS, default=DEFAULT_FPS)
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
    layer, format_ = catalogue.layer(path["layer"]), format_of_extension(path["extension"], FORMATS)
    return AnimationRequest(
        map_request=map_request(layer, _grid(query, layer, catalogue), query, time=DATETIME.value(query)),
        format=format_,
        step=STEP.value(query),
        fps=FPS.value(query),
        labels=LABELS.value(query),
        newest=DEFAULT_FRAMES if DATETIME.optional(query) is None else None,
    )


def _grid(query: Kvp, layer: Layer, catalogue: Catalogue) -> Grid:
    """Return the grid of the box; pixels are square on the ground unless both sides are requested."""
    crs = requested_crs(CRS.optional(query), layer, catalogue)
    extent = BBOX.optional(query)
    if extent is None:
        extent = longitude_latitude_box(layer) if crs == CRS84 else layer.main_variable.grid.bbox_in(crs)
    else:
        extent = extent.unwound() if crs.is_geographic else extent
        require_place(extent, crs)
    return grid_of_picture(crs, extent, width=WIDTH.optional(query), height=HEIGHT.optional(query))


async def get_animation(request: Request) -> Response:
    """Return an animation of a layer; its rendering stops if the client disconnects."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    animation = animation_request(request.path_params, query, services.catalogue)
    offer_job(request, lambda: animation_offer(animation, query, services.catalogue))
    etags, with_body, revision = client_etags(request), request.method != "HEAD", REV.optional(query)

    def revision_check() -> RevisionCheck:
        return RevisionCheck(
            revision, animation.map_request.layer, services, expression=animation.map_request.expression
        )

    def find() -> tuple[AnimationPayload | None, bool]:
        check, film = revision_check(), find_animation(animation, services, client_etags=etags, with_body=with_body)
        return film, film is not None and check.is_immutable(*film.frame_states)

    def make(is_active: IsActive) -> tuple[AnimationPayload, bool]:
        check, film = revision_check(), render_animation(animation, services, client_etags=etags, is_active=is_active)
        return film, check.is_immutable(*film.frame_states)

    layer = animation.map_request.layer
    # Errors and unchanged answers do not wait behind other animations.
    film_payload, is_immutable = await run(request, PICTURES, find, layers=[layer])
    if film_payload is not None:
        return _answer(film_payload, is_immutable=is_immutable, with_body=with_body)
    payload, is_immutable = await run(request, ANIMATIONS, make, layers=[layer])
    return _answer(payload, is_immutable=is_immutable, with_body=True)


def _answer(payload: AnimationPayload, *, is_immutable: bool, with_body: bool) -> Response:
    headers = {
        "ETag": f'"{payload.etag}"',
        **cache_headers(payload.missing, is_immutable=is_immutable, is_open=payload.time.is_open),
        "Chronotile-Time": format_times_used(payload.time),
    }
    if payload.frames < payload.requested_frames:
        number, every = payload.frames, payload.requested_frames
        warning = f'299 - "the newest {number} of {every} frames; an interval such as datetime=2000/.. requests all"'
        headers["Warning"] = ", ".join(filter(None, (headers.get("Warning"), warning)))
    if payload.unchanged:
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'inline; filename="{payload.file_name}"'
    if not with_body:
        response = Response(media_type=payload.media_type, headers=headers)
        del response.headers["Content-Length"]  # starlette's 0, but the body was not rendered
        return response
    headers["Content-Length"] = str(payload.body.size)
    return BodyResponse(payload.body, media_type=payload.media_type, headers=headers)


operations = (
    Operation(
        "/animations/{layer}.{extension}",
        get_animation,
        "getAnimation",
        "A time-lapse",
        tag="Time-lapses",
        faults=dated_problem,
        parameters=[
            segment("layer", "Id or alias", example=lambda of: of.layer if of.times else None),
            extension_in_path(FORMATS),
            *OF_ANIMATION,
        ],
        examples={"width": 64, "height": 48, "datetime": lambda of: of.times},
        answers={str(f): FILE for f in FORMATS.values()},
    ),
)
routes = routes_of(operations)


# The job that makes an animation that is too large for a request.

LIMITS: Mapping[str, float] = {"max_animation_pixels": MAX_PIXELS, MEMORY: math.inf, LIMIT: math.inf}


def animation_offer(animation: AnimationRequest, query: Kvp, catalogue: Catalogue) -> JobOffer | None:
    """Return a job with the same result; `None` if it lacks an input for an option of the request, such as colours.

    Raises:
        UnsupportedCrs: No process accepts the CRS.
    """
    map_request, grid = animation.map_request, animation.map_request.grid
    plain = MapRequest(
        layer=map_request.layer,
        grid=grid,
        time=map_request.time,
        style=map_request.style,
        reducer=map_request.reducer,
        format=map_request.format,
    )
    if map_request != plain:
        return None
    labels = [label for label in ANIMATION_LABELS if label in animation.labels]
    inputs = {
        "layer": map_request.layer,
        **datetime_input(map_request.time),
        **bbox_input(grid.bbox, grid.crs, catalogue.layer(map_request.layer), catalogue),
        "width": grid.width,
        "height": grid.height,
        "format": animation.format,
        "step": animation.step if isinstance(animation.step, int) else query.require("step"),
        "fps": animation.fps,
        "reducer": map_request.reducer,
        **({"style": map_request.style} if map_request.style else {}),
        **({"labels": labels} if len(labels) < len(ANIMATION_LABELS) else {}),
    }
    return JobOffer(process="animation", inputs=inputs, limits=LIMITS)
