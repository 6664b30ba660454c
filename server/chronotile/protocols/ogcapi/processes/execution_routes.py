"""`POST /ogcapi/processes/{processID}/execution`: synchronous execution, or a job (OGC 18-062r2 §7.11)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.job import Execution, Subscriber
from chronotile.core.model.types import Json
from chronotile.http.base_urls import url_without_key
from chronotile.http.job_access import require_job_access
from chronotile.http.request_bodies import read_body
from chronotile.http.request_services import services_of
from chronotile.http.server_state import state_of
from chronotile.jobs.processes.execute import ASK_FOR_A_JOB
from chronotile.jobs.processes.process import JobPlan
from chronotile.jobs.processes.registry import process_of
from chronotile.protocols.common.openapi import ADDRESS, TEXT, body, ref
from chronotile.protocols.common.operation import language
from chronotile.protocols.common.processes.execution import members_of
from chronotile.protocols.common.processes.media_types import JSON
from chronotile.protocols.common.processes.results import job_address, results_response
from chronotile.protocols.common.processes.running import do_now, plan_of, read_execution, submit
from chronotile.protocols.ogcapi.document_requests import context_for, document_query
from chronotile.protocols.ogcapi.processes.documents import (
    A_JOB,
    ANY_RESULTS,
    OF_JOB,
    ONLY_LINKS,
    describe,
    live,
    process_in_path,
    refusals,
    status_document,
)
from chronotile.protocols.ogcapi.processes.subscriber import MEMBER, subscriber_of

RESPOND_ASYNC = "respond-async"
WAIT = "wait"
MAX_MEMBERS = 50
MAX_CHARACTERS = 1000
"""Characters of all headers Prefer that are parsed; the time for unclosed quotes is quadratic."""
_MEMBERS = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_PARTS = re.compile(r'(?:[^;"]|"(?:\\.|[^"\\])*")+')
_ESCAPED = re.compile(r"\\(.)")
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Supported preferences of a request."""

    is_async: bool
    """Whether the client prefers a job to waiting."""
    wait_s: int | None
    """Maximum time that the client would wait for results, in seconds."""

    def wants_job(self, seconds: float, *, most_s: float) -> bool:
        """Return whether work expected to take `seconds` becomes a job; no request waits longer than `most_s`."""
        return self.is_async and (self.wait_s is None or seconds > min(self.wait_s, most_s))


def preferences_of(headers: Iterable[str]) -> Preferences:
    """Return the preferences in the headers Prefer; unknown preferences and invalid values are ignored.

    If a preference occurs twice, the first counts (RFC 7240 §2).
    """
    values_by_name: dict[str, str] = {}
    for member in _MEMBERS.findall(",".join(headers)[:MAX_CHARACTERS])[:MAX_MEMBERS]:
        name, _equals, value = next(iter(_PARTS.findall(member)), "").partition("=")
        values_by_name.setdefault(name.strip().lower(), _unquote(value.strip()))
    wait = values_by_name.get(WAIT, "")
    return Preferences(is_async=RESPOND_ASYNC in values_by_name, wait_s=int(wait) if _SECONDS.fullmatch(wait) else None)


def _unquote(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if len(value) > 1 and value[0] == value[-1] == '"' else value


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedExecution:
    """A checked execution with its plan and the preferences of the client."""

    execution: Execution
    subscriber: Subscriber | None
    preferred: Preferences
    plan: JobPlan


async def planned_execution(request: Request) -> PlannedExecution:
    """Return the execution of a request with its plan; no pixel is read.

    Raises:
        ChronotileError: The execution would be refused.
    """
    preferred = preferences_of(request.headers.getlist("prefer"))
    if preferred.is_async or "origin" in request.headers:  # a web page without access to jobs may not cause work
        require_job_access(request)
    process, body = process_of(request.path_params["processID"]), await read_body(request)

    def read() -> Json:
        members = members_of(process, body, media_type=request.headers.get("content-type", JSON))
        places, base = state_of(request).subscriber_places, url_without_key(request)
        return {**members, MEMBER: subscriber_of(members, places, base=base)}

    execution, members = await read_execution(request, process, read)
    subscriber = members[MEMBER]
    if subscriber is not None and not preferred.is_async:
        raise InvalidParameter(f"only jobs notify subscribers; {ASK_FOR_A_JOB}", locator="subscriber")
    plan = await plan_of(request, execution)
    return PlannedExecution(execution=execution, subscriber=subscriber, preferred=preferred, plan=plan)


async def post_execution(request: Request) -> Response:
    """Execute the request while the client waits, or accept it as a job."""
    context = context_for(request, document_query(request))
    planned = await planned_execution(request)
    plan, preferred = planned.plan, planned.preferred
    if (
        planned.subscriber is not None
        or preferred.wants_job(plan.seconds, most_s=services_of(request).catalogue.limits.max_seconds)
        or (preferred.is_async and not services_of(request).memory.may_take(plan.held_bytes))
    ):
        job = await submit(request, planned.execution, plan, subscriber=planned.subscriber)
        headers = {"Location": job_address(job, context.base), "Preference-Applied": RESPOND_ASYNC}
        return Response(orjson.dumps(status_document(job, context)), status_code=201, media_type=JSON, headers=headers)
    response = await do_now(request, planned.execution, plan, results_response, base=context.base)
    if preferred.wait_s is not None and preferred.is_async:
        response.headers["Preference-Applied"] = f"wait={preferred.wait_s}"
    return response


PREFER: Json = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async` for a job; with `wait=10` only where it is expected to take longer than 10 s",
    "schema": TEXT,
}
LOCATION: Json = {"description": "Address of the job", "schema": ADDRESS, "required": True}
MESSAGES = {
    "successUri": ("jobCompleted", "The results, files among them as links", "ProcessResults"),
    "inProgressUri": ("jobInProgress", "How far the job is", "Job"),
    "failedUri": ("jobFailed", "That the job failed, and why", "Job"),
}
"""Messages of a job to its subscriber, by member."""
CALLBACKS: Json = {
    name: {
        f"{{$request.body#/subscriber/{member}}}": {
            "post": {
                "summary": summary,
                "requestBody": {"required": True, "content": {JSON: {"schema": ref(schema)}}},
                "responses": {"2XX": {"description": "It was heard"}},
            }
        }
    }
    for member, (name, summary, schema) in MESSAGES.items()
}
operation = describe(
    "/processes/{processID}/execution",
    live(post_execution),
    "execute",
    "Execute a process, at once or as a job",
    method="POST",
    parameters=[process_in_path, language, PREFER],
    responses={
        "200": ANY_RESULTS,
        "201": {**A_JOB, "headers": {"Location": LOCATION}},
        "204": ONLY_LINKS,
        **refusals("413", "415"),
        **OF_JOB,
    },
    members={"requestBody": body(ref("ProcessExecution"), {"inputs": {"string": "Hello"}}), "callbacks": CALLBACKS},
)
