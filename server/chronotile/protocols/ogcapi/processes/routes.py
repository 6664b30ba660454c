"""`/ogcapi/processes`: processes, and all operations of OGC API - Processes (OGC 18-062r2)."""

from collections.abc import Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.job import STATUSES
from chronotile.core.model.types import Json
from chronotile.jobs.processes.registry import process_of, processes
from chronotile.jobs.processes.sources import MAX_TIMES
from chronotile.protocols.common.openapi import ADDRESS, COUNT, INDEX, OBJECT, TEXT, enum_of, list_of, object_of, ref
from chronotile.protocols.common.processes.execution import TRANSMISSIONS
from chronotile.protocols.common.processes.media_types import BASE64, HTML, JSON
from chronotile.protocols.ogcapi.block import BuildingBlock
from chronotile.protocols.ogcapi.document_requests import context_for, document_query
from chronotile.protocols.ogcapi.operation_parts import JSON_OR_HTML
from chronotile.protocols.ogcapi.processes.documents import (
    ASYNC,
    DISMISS,
    OF_DOCUMENT,
    SYNC,
    describe,
    document_in,
    landing_links,
    process_document,
    process_fault,
    process_in_path,
    process_list,
)
from chronotile.protocols.ogcapi.processes.estimate_routes import ESTIMATE
from chronotile.protocols.ogcapi.processes.estimate_routes import operation as estimate_operation
from chronotile.protocols.ogcapi.processes.execution_routes import operation as execution_operation
from chronotile.protocols.ogcapi.processes.job_routes import operations as job_operations
from chronotile.protocols.ogcapi.processes.job_routes import process_page, processes_page
from chronotile.protocols.ogcapi.processes.params import PAGING, TYPE, paging_of
from chronotile.protocols.ogcapi.processes.share_routes import operations as share_operations
from chronotile.protocols.ogcapi.processes.subscriber import OF_MEMBERS


async def get_processes(request: Request) -> Response:
    """Return a page of the list of processes."""
    query = document_query(request, *PAGING)
    paging, context = paging_of(query), context_for(request, query)
    document = process_list(tuple(processes().values()), paging, context)
    return await document_in(request, context, document, partial(processes_page, document, context))


async def get_process(request: Request) -> Response:
    """Return the description of a process."""
    context = context_for(request, document_query(request))
    document = process_document(process_of(request.path_params["processID"]), context)
    return await document_in(request, context, document, partial(process_page, document, context))


operations = (
    describe(
        "/processes",
        get_processes,
        "getProcesses",
        "Processes, by their ids",
        faults=process_fault,
        parameters=[*PAGING, *JSON_OR_HTML],
        answers={JSON: ref("ProcessList"), HTML: TEXT},
        responses=OF_DOCUMENT,
    ),
    describe(
        "/processes/{processID}",
        get_process,
        "getProcessDescription",
        "What a process takes and gives",
        faults=process_fault,
        parameters=[process_in_path, *JSON_OR_HTML],
        answers={JSON: ref("Process"), HTML: TEXT},
        responses=OF_DOCUMENT,
    ),
    execution_operation,
    estimate_operation,
    *job_operations,
    *share_operations,
)


# The building block of OGC API - Processes - Part 1: Core (OGC 18-062r2).

ROOT = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"
CLASSES = ("core", "ogc-process-description", "json", "html", "oas30", "job-list", "dismiss")

ANYTHING: Json = {}


def _all_optional(properties: Mapping[str, Json]) -> Json:
    return {"type": "object", "properties": dict(properties)}


_TIME: Json = {"type": "string", "format": "date-time"}
_DESCRIBED: Mapping[str, Json] = {"title": TEXT, "description": TEXT}
_SUMMARY = object_of(
    {"id": TEXT, "version": TEXT},
    {
        **_DESCRIBED,
        "keywords": list_of(TEXT),
        "jobControlOptions": list_of(enum_of([SYNC, ASYNC, DISMISS])),
        "outputTransmission": list_of(enum_of(TRANSMISSIONS)),
        "links": list_of(ref("Link")),
    },
)
SCHEMAS: Mapping[str, Json] = {
    "ProcessSummary": _SUMMARY,
    "ProcessList": object_of({"processes": list_of(ref("ProcessSummary")), "links": list_of(ref("Link"))}),
    "ProcessInput": object_of({"schema": OBJECT}, {**_DESCRIBED, "minOccurs": INDEX, "maxOccurs": COUNT}),
    "ProcessOutput": object_of({"schema": OBJECT}, dict(_DESCRIBED)),
    "Process": {
        "allOf": [
            ref("ProcessSummary"),
            object_of(
                {
                    "inputs": {"type": "object", "additionalProperties": ref("ProcessInput")},
                    "outputs": {"type": "object", "additionalProperties": ref("ProcessOutput")},
                }
            ),
        ]
    },
    "ProcessExecution": _all_optional(
        {
            "inputs": {
                "type": "object",
                "description": "Values by the names of inputs; one with a kind is `{value, mediaType, encoding}`, "
                "one that lies elsewhere `{href, type}`",
            },
            "outputs": {
                "type": "object",
                "description": "The outputs to return; all without it",
                "additionalProperties": _all_optional(
                    {
                        "transmissionMode": enum_of(TRANSMISSIONS),
                        "format": _all_optional({"mediaType": TEXT, "encoding": enum_of([BASE64])}),
                    }
                ),
            },
            "response": {**enum_of(["raw", "document"]), "default": "raw"},
            "subscriber": {
                **_all_optional(dict.fromkeys(OF_MEMBERS, ADDRESS)),
                "description": "Addresses that hear how the job goes on; those that the operator allows",
            },
        }
    ),
    "ProcessResults": {
        "type": "object",
        "description": "Values by the names of outputs, or links to them",
        "additionalProperties": ANYTHING,
    },
    "Job": object_of(
        {"jobID": TEXT, "type": enum_of([TYPE]), "status": enum_of(STATUSES)},
        {
            "processID": TEXT,
            "message": TEXT,
            **dict.fromkeys(("created", "started", "finished", "updated"), _TIME),
            "progress": {"type": "integer", "minimum": 0, "maximum": 100},
            "metadata": ref("JobMetadata"),
            "links": list_of(ref("Link")),
        },
    ),
    "JobMetadata": {
        **object_of(
            {"sources": list_of(ref("JobSource"))},
            {
                "unreadable": {**list_of(_TIME), "description": "Dates that could not be read, which results lack"},
                "left_out": {
                    **list_of(TEXT),
                    "description": "Ids of items that could not be read, which dates of results lack; at most 100",
                },
            },
        ),
        "description": "What the results of a successful job were made of; absent if no layer was read",
    },
    "JobSource": object_of(
        {"collection": TEXT, "layers": list_of(TEXT), "revision": TEXT, "count": INDEX},
        {
            "first": _TIME,
            "last": _TIME,
            "times": {**list_of(_TIME), "description": f"All of them, where they are no more than {MAX_TIMES}"},
        },
    ),
    "ProcessEstimate": ESTIMATE,
    "JobShare": object_of({"href": ADDRESS, "expires": _TIME}),
    "JobList": object_of(
        {"jobs": list_of(ref("Job")), "links": list_of(ref("Link"))}, {"numberMatched": INDEX, "numberReturned": INDEX}
    ),
}

block = BuildingBlock(
    operations=operations,
    conformance=tuple(f"{ROOT}/{name}" for name in CLASSES),
    allowed_conformance=lambda state: [f"{ROOT}/callback"] if state.subscriber_places else [],
    schemas=SCHEMAS,
    landing_links=landing_links,
)
