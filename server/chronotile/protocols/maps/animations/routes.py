"""`/animations`: time-lapses as GIF, WebP and MP4."""

import math
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.animation import ANIMATION_LABELS, AnimationRequest
from chronotile.core.model.request import IsActive, MapRequest
from chronotile.http.bodies import BodyResponse
from chronotile.http.endpoint import JobOffer, dated_problem, offer_job
from chronotile.http.respond import caching, instants_text, known_etags
from chronotile.http.run import ANIMATIONS, PICTURES, run, services_of
from chronotile.jobs.processes.animation import MOST_PIXELS
from chronotile.pipeline.caches.answer_memory import LIMIT as MEMORY
from chronotile.pipeline.maps.animation import AnimationDelivery, find_animation, render_animation
from chronotile.protocols.common.job_offer import bbox_input, datetime_input
from chronotile.protocols.common.openapi import FILE, extension_in_path
from chronotile.protocols.common.operation import Operation, routes_of, segment
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.picture import REV, NamedState
from chronotile.protocols.maps.animations.params import FORMATS, OF_ANIMATION, animation_request


async def get_animation(request: Request) -> Response:
    """Return a time-lapse of a layer; who leaves before it is made ends the making of it."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    animation = animation_request(request.path_params, query, services.catalogue)
    offer_job(request, lambda: animation_offer(animation, query, services.catalogue))
    known, with_body, revision = known_etags(request), request.method != "HEAD", REV.given(query)

    def named() -> NamedState:
        return NamedState(revision, animation.shown.layer, services, expression=animation.shown.expression)

    def find() -> tuple[AnimationDelivery | None, bool]:
        before, film = named(), find_animation(animation, services, known=known, with_body=with_body)
        return film, film is not None and before.holds(*film.states)

    def make(is_active: IsActive) -> tuple[AnimationDelivery, bool]:
        before, film = named(), render_animation(animation, services, known=known, is_active=is_active)
        return film, before.holds(*film.states)

    layer = animation.shown.layer
    # Errors and unchanged answers are sent at once, also while other requests wait for a film.
    found, is_immutable = await run(request, PICTURES, find, layers=[layer])
    if found is not None:
        return _answer(found, is_immutable=is_immutable, with_body=with_body)
    delivery, is_immutable = await run(request, ANIMATIONS, make, layers=[layer])
    return _answer(delivery, is_immutable=is_immutable, with_body=True)


def _answer(delivery: AnimationDelivery, *, is_immutable: bool, with_body: bool) -> Response:
    headers = {
        "ETag": f'"{delivery.etag}"',
        **caching(
            delivery.unreadable,
            is_immutable=is_immutable,
            is_open=delivery.time.is_open,
            left_out=delivery.left_out,
            note=delivery.note,
        ),
        "Chronotile-Time": instants_text(delivery.time),
    }
    if delivery.frames < delivery.requested_frames:
        number, every = delivery.frames, delivery.requested_frames
        told = f'299 - "the newest {number} of {every} frames; an interval such as datetime=2000/.. requests all"'
        headers["Warning"] = ", ".join(filter(None, (headers.get("Warning"), told)))
    if delivery.unchanged:
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'inline; filename="{delivery.file_name}"'
    if not with_body:
        response = Response(media_type=delivery.media_type, headers=headers)
        del response.headers["Content-Length"]  # of the body that was not made
        return response
    headers["Content-Length"] = str(delivery.body.size)
    return BodyResponse(delivery.body, media_type=delivery.media_type, headers=headers)


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
        answers={str(each): FILE for each in FORMATS.values()},
    ),
)
routes = routes_of(operations)


# The job that makes a time-lapse which is too large for a request.

LIMITS: Mapping[str, float] = {"max_animation_pixels": MOST_PIXELS, MEMORY: math.inf}


def animation_offer(animation: AnimationRequest, query: Kvp, catalogue: Catalogue) -> JobOffer | None:
    """Return the job; `None` if the request has colours that belong to no style, or numbers that belong to no layer.

    Raises:
        UnsupportedCrs: No process takes the CRS.
    """
    shown, grid = animation.shown, animation.shown.grid
    plain = MapRequest(
        layer=shown.layer, grid=grid, time=shown.time, style=shown.style, reducer=shown.reducer, format=shown.format
    )
    if shown != plain:
        return None
    labels = [label for label in ANIMATION_LABELS if label in animation.labels]
    inputs = {
        "layer": shown.layer,
        **datetime_input(shown.time),
        **bbox_input(grid.bbox, grid.crs, catalogue.layer(shown.layer), catalogue),
        "width": grid.width,
        "height": grid.height,
        "format": animation.format,
        "step": animation.step if isinstance(animation.step, int) else query.required("step"),
        "fps": animation.fps,
        "reducer": shown.reducer,
        **({"style": shown.style} if shown.style else {}),
        **({"labels": labels} if len(labels) < len(ANIMATION_LABELS) else {}),
    }
    return JobOffer(process="animation", inputs=inputs, limits=LIMITS)
