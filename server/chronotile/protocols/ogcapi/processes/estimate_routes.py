"""`POST /ogcapi/processes/{processID}/estimate`: expected size and time of an execution; no pixel is read."""

from collections.abc import Mapping, Sequence

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.types import Json
from chronotile.http.request_services import services_of
from chronotile.http.server_state import state_of
from chronotile.jobs.processes.process import MAX_TASKS, JobPlan
from chronotile.jobs.processes.sources import JobSource
from chronotile.jobs.queue.service import JobService
from chronotile.pipeline.services import Services
from chronotile.protocols.common.openapi import COUNT, INDEX, TEXT, body, enum_of, list_of, object_of, ref
from chronotile.protocols.common.operation import language
from chronotile.protocols.common.processes.media_types import JSON
from chronotile.protocols.ogcapi.document_requests import add_language_headers, context_for, document_query
from chronotile.protocols.ogcapi.processes.documents import (
    ASYNC,
    OF_JOB,
    SYNC,
    describe,
    live,
    process_in_path,
    refusals,
)
from chronotile.protocols.ogcapi.processes.execution_routes import PREFER, planned_execution


async def post_estimate(request: Request) -> Response:
    """Return the estimate of the requested execution; it fails with the same errors as the execution."""
    context = context_for(request, document_query(request))
    planned = await planned_execution(request)
    document = estimate_document(planned.execution.process, planned.plan, services_of(request), state_of(request).jobs)
    return add_language_headers(Response(orjson.dumps(document), media_type=JSON), context)


def estimate_document(process: str, plan: JobPlan, services: Services, desk: JobService) -> Json:
    """Return the estimate of a planned execution."""
    limit_s = services.catalogue.limits.max_seconds
    is_quick = plan.seconds <= limit_s and services.memory.may_take(plan.held_bytes)
    options = ((SYNC, is_quick), (ASYNC, desk.takes_jobs))
    return {
        "processID": process,
        "layers": [
            {"collection": source.collection, "layer": source.layer, "times": len(source.times)}
            for source in plan.sources
        ],
        "times": len(set().union(*(source.times for source in plan.sources))),
        "tasks": len(plan.tasks),
        "pixels": plan.pixels,
        "readBytes": _read_bytes(plan.sources, services),
        "resultBytes": plan.result_bytes,
        "memoryBytes": plan.held_bytes,
        "seconds": round(plan.seconds, 3),
        "jobControlOptions": [name for name, is_accepted in options if is_accepted],
        "limits": {"seconds": limit_s, "tasks": MAX_TASKS, "openJobs": desk.max_open},
    }


def _read_bytes(sources: Sequence[JobSource], services: Services) -> int | None:
    """Return the bytes of all cells at the times; `None` for mosaics and derived variables."""
    size = 0
    for source in sources:
        for variable in services.catalogue.layer(source.layer).variables:
            if variable.is_mosaic or variable.is_derived:
                return None
            numbers = variable.grid.width * variable.grid.height * max(1, len(source.times))
            size += numbers * np.dtype(variable.encoding.dtype).itemsize
    return size


KNOWN: Mapping[str, str] = {
    "times": "Different times that are read",
    "tasks": "Parts of the work, which processes of workers share",
    "pixels": "Of layers, at all times, that are computed with",
    "memoryBytes": "That one task holds, beside caches",
}
NOT_ALWAYS: Mapping[str, str] = {
    "readBytes": "Of all cells of the layers at these times, uncompressed: what is read at most, each once",
    "resultBytes": "Of the file of the result at most",
}
ROUGH = "Of one processor for all tasks, by rates that are the same on all machines; waiting is not counted"
ESTIMATE = object_of(
    {
        "processID": TEXT,
        "layers": list_of(object_of({"collection": TEXT, "layer": TEXT, "times": INDEX})),
        **{name: {**INDEX, "description": text} for name, text in KNOWN.items()},
        **{name: {**INDEX, "nullable": True, "description": text} for name, text in NOT_ALWAYS.items()},
        "seconds": {"type": "number", "minimum": 0, "description": ROUGH},
        "jobControlOptions": list_of(enum_of([SYNC, ASYNC])),
        "limits": object_of({"seconds": {"type": "number"}, "tasks": COUNT, "openJobs": COUNT}),
    }
)
operation = describe(
    "/processes/{processID}/estimate",
    live(post_estimate),
    "estimate",
    "What an execution would take, by the same request",
    method="POST",
    parameters=[process_in_path, language, PREFER],
    answers={JSON: ref("ProcessEstimate")},
    responses={**refusals("413", "415"), **OF_JOB},
    members={"requestBody": body(ref("ProcessExecution"), {"inputs": {"string": "Hello"}})},
)
