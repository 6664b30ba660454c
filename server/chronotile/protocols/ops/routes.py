"""`/health` and `/metrics`: whether the process lives, whether it can answer, what it does."""

from dataclasses import asdict

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.errors import ChronotileError
from chronotile.pipeline.readiness import Fault, check_readiness
from chronotile.pipeline.search.served_index import being_filled
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import RETRY_AFTER_S, endpoint
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.protocols.common.state import in_thread, services_of, state_of
from chronotile.protocols.ops.siblings import Siblings, merge_metrics

STALE = "the last reload failed; still serving the previous state; see the log"


async def get_live(request: Request) -> Response:  # noqa: ARG001 -- the answer is that there is one
    """Return that the process answers."""
    return _respond(200, {"status": "live"})


async def get_ready(request: Request) -> Response:
    """Return 200 where at least one layer can be read, else 503, and what fails in either case."""
    state, services = state_of(request), services_of(request)
    readiness = await in_thread(state.limiters.readiness, check_readiness, services)
    stale = (Fault(reason=STALE),) if state.live.is_stale else ()
    document: dict[str, object] = {
        "status": "ready" if readiness.is_ready else "not ready",
        "failing": list(readiness.failing),
        "filling": await in_thread(state.limiters.readiness, _filling, services),
        "faults": [_members(fault) for fault in (*stale, *readiness.faults)],
    }
    return _respond(200 if readiness.is_ready else 503, document)


def _filling(services: Services) -> list[str]:
    """The collections that are served and whose items are not all known yet; none where no index answers."""
    try:
        return list(being_filled(services.catalogue.collections_by_id.keys(), services))
    except ChronotileError:
        return []


def _members(fault: Fault) -> dict[str, str]:
    return {name: value for name, value in asdict(fault).items() if value is not None}


def _respond(status: int, document: dict[str, object]) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": RETRY_AFTER_S} if status == 503 else {})
    return Response(orjson.dumps(document), status_code=status, media_type="application/json", headers=headers)


routes = [
    Route("/health/live", endpoint(get_live, problem_response)),
    Route("/health/ready", endpoint(get_ready, problem_response)),
]


def metrics_routes(registry: CollectorRegistry, siblings: Siblings | None) -> list[Route]:
    """Return the route of the metrics in a registry; with siblings, of those of all workers."""

    async def get_metrics(request: Request) -> Response:
        """Return them as Prometheus reads them (text format 0.0.4)."""
        limiter = state_of(request).limiters.metrics
        body = await in_thread(limiter, generate_latest, registry)
        if siblings is not None:
            # Not requested at our own socket: where all workers are slow, no metrics at all would arrive in time.
            texts = await siblings.ask() | {str(siblings.number): body.decode()}
            body = await in_thread(limiter, merge_metrics, texts)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})

    return [Route("/metrics", endpoint(get_metrics, problem_response))]
