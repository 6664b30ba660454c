"""`/health` and `/metrics`: liveness, readiness and metrics of the process."""

from dataclasses import asdict
from functools import partial

import orjson
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import ChronotileError
from chronotile.http.error_headers import RETRY_AFTER_S
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import METRICS, READINESS
from chronotile.pipeline.readiness import Fault, check_readiness
from chronotile.pipeline.search.search_items import being_filled
from chronotile.pipeline.services import Services
from chronotile.protocols.common.openapi import TEXT, ref
from chronotile.protocols.common.operation import Operation
from chronotile.protocols.site.ops.siblings import Siblings, merge_metrics

STALE = "the last reload failed; still serving the previous state; see the log"

DATABASE_AWAY = "the database does not answer: jobs, searches and sign-in answer 503; see the log"


async def get_live(request: Request) -> Response:  # noqa: ARG001 -- any answer shows that the process is live
    """Return a constant document: the process answers."""
    return _respond(200, {"status": "live"})


async def get_ready(request: Request) -> Response:
    """Return 200 if at least one layer can be read, else 503, with a list of faults in both cases."""
    state, services = state_of(request), services_of(request)
    readiness = await run(request, READINESS, partial(check_readiness, services))
    is_ready = readiness.is_ready
    if services.narrowed_from is not None:  # the client may be a proxy without a right to any layer
        is_ready = (await run(request, READINESS, partial(check_readiness, services.origin))).is_ready
    faults = [Fault(reason=STALE)] if state.live.is_stale else []
    if not await run(request, READINESS, state.is_database_up):
        faults.append(Fault(reason=DATABASE_AWAY))
    document: dict[str, object] = {
        "status": "ready" if is_ready else "not ready",
        "failing": list(readiness.failing),
        "filling": await run(request, READINESS, partial(_filling, services)),
        "faults": [
            {name: value for name, value in asdict(fault).items() if value is not None}
            for fault in (*faults, *readiness.faults)
        ],
    }
    return _respond(200 if is_ready else 503, document)


def _filling(services: Services) -> list[str]:
    """Return collections whose items are not yet all in the index; empty if the index does not answer."""
    try:
        return list(being_filled(services.catalogue.collections_by_id.keys(), services))
    except ChronotileError:
        return []


def _respond(status: int, document: dict[str, object]) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {})
    return Response(orjson.dumps(document), status_code=status, media_type="application/json", headers=headers)


async def get_metrics(registry: CollectorRegistry, siblings: Siblings | None, request: Request) -> Response:
    """Return the metrics of a registry in Prometheus text format 0.0.4; with siblings, the metrics of all workers."""
    body = await run(request, METRICS, partial(generate_latest, registry))
    if siblings is not None:
        # Not read at our socket: if all workers are slow, no metrics would arrive in time.
        texts = await siblings.read_metrics() | {str(siblings.number): body.decode()}
        body = await run(request, METRICS, partial(merge_metrics, texts))
    return Response(body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})


describe = partial(Operation, tag="Service", faults=problem_response, refusals=())
health = partial(describe, answers={"application/json": ref("Health")})


def operations_of(registry: CollectorRegistry = REGISTRY, siblings: Siblings | None = None) -> tuple[Operation, ...]:
    """Return the routes of health and metrics.

    Args:
        registry: Metrics of this process.
        siblings: All worker processes of the server, whose metrics are summed.
    """
    metrics = partial(get_metrics, registry, siblings)
    return (
        health("/health/live", get_live, "getLive", "Whether the server process responds"),
        health("/health/ready", get_ready, "getReady", "Whether at least one layer can be read"),
        describe("/metrics", metrics, "getMetrics", "Metrics for Prometheus", answers={"text/plain": TEXT}),
    )
