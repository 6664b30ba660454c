"""`/animations`: time-lapses as GIF, WebP and MP4."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.model.cancellation import IsActive
from chronotile.pipeline.maps.animation import AnimationDelivery, find_animation, render_animation
from chronotile.pipeline.named_state import NamedState
from chronotile.protocols.animations.job_offers import animation_offer
from chronotile.protocols.animations.params import animation_request
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.job_offer import offer_job
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.picture import REV
from chronotile.protocols.common.responses.body_response import BodyResponse
from chronotile.protocols.common.responses.problem import dated_problem
from chronotile.protocols.common.responses.respond import caching, instants_text, known_etags
from chronotile.protocols.common.state import for_client, make_for_client, services_of, state_of


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

    limiters, layer = state_of(request).limiters, animation.shown.layer
    # Errors and unchanged answers are sent at once, also while other requests wait for a film.
    found, is_immutable = await for_client(request, limiters.pictures, layer, find, services=services)
    if found is not None:
        return _answer(found, is_immutable=is_immutable, with_body=with_body)
    delivery, is_immutable = await make_for_client(request, limiters.animations, layer, make, services=services)
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


routes = [Route("/animations/{layer}.{extension}", endpoint(get_animation, dated_problem))]
