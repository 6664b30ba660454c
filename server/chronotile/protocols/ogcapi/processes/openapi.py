"""Paths of processes and jobs in OpenAPI 3.0, under the operation ids of the standard's own document."""

from collections.abc import Mapping, Sequence

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.job import STATUSES
from chronotile.processes.registry import processes
from chronotile.processes.sources import MOST_TIMES
from chronotile.protocols.common.openapi import (
    ADDRESS,
    COUNT,
    INDEX,
    OBJECT,
    TEXT,
    Json,
    enum_of,
    get,
    in_path,
    list_of,
    object_of,
    ref,
)
from chronotile.protocols.common.query.parameter import documents, format_of, language
from chronotile.protocols.ogcapi.processes.execution import TRANSMISSIONS
from chronotile.protocols.ogcapi.processes.media_types import BASE64, HTML, JSON
from chronotile.protocols.ogcapi.processes.params import PAGING, SELECTION, TYPE
from chronotile.protocols.ogcapi.processes.subscriber import OF_MEMBERS

TAG = "Processes"
PROBLEM = "application/problem+json"
EXAMPLE = "echo"
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
        "jobControlOptions": list_of(enum_of(["sync-execute", "async-execute", "dismiss"])),
        "outputTransmission": list_of(enum_of(TRANSMISSIONS)),
        "links": list_of(ref("Link")),
    },
)
SCHEMAS: Mapping[str, Json] = {
    "ProcessSummary": _SUMMARY,
    "ProcessList": object_of({"processes": list_of(ref("ProcessSummary")), "links": list_of(ref("Link"))}),
    "ProcessInput": object_of(
        {"schema": OBJECT},
        {**_DESCRIBED, "minOccurs": INDEX, "maxOccurs": COUNT},
    ),
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
        },
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
            "times": {**list_of(_TIME), "description": f"All of them, where they are no more than {MOST_TIMES}"},
        },
    ),
    "JobList": object_of(
        {"jobs": list_of(ref("Job")), "links": list_of(ref("Link"))},
        {"numberMatched": INDEX, "numberReturned": INDEX},
    ),
}


def process_paths(catalogue: Catalogue) -> Mapping[str, Json]:
    """Return the path items, below the tree's own address."""
    both = [format_of(["json", "html"]), language(catalogue.service.languages)]
    process = in_path("processID", "Id of a process", enum_of(tuple(processes())), example=EXAMPLE)
    job = in_path("jobID", "Id of a job, as in its acceptance", TEXT)
    output = in_path("outputID", "Name of one of the process's outputs", TEXT, example="string")
    lists = [*documents(PAGING), *both]
    chosen = documents(SELECTION, {"processID": [EXAMPLE], "status": ["running", "successful"]})
    return {
        "/processes": _get("getProcesses", "Processes, by their ids", "ProcessList", lists),
        "/processes/{processID}": _get(
            "getProcessDescription", "What a process takes and gives", "Process", [process, *both]
        ),
        "/processes/{processID}/execution": {"post": _execution([process, language(catalogue.service.languages)])},
        "/jobs": _get("getJobs", "Jobs, the newest first", "JobList", [*chosen, *lists]),
        "/jobs/{jobID}": {
            **_get("getStatus", "How far a job is", "Job", [job, *both]),
            "delete": _operation(
                "dismiss", "Cancel a job, or remove one that has ended", [job], {"200": _answer("Job", JSON)}
            ),
        },
        "/jobs/{jobID}/results": {
            "get": _results("getResult", "The results of a job, in the requested form", [job], {"204": _only_links()})
        },
        "/jobs/{jobID}/results/{outputID}": {
            "get": _results("getOneResult", "One result of a job", [job, output], {"307": _elsewhere()})
        },
    }


def _get(operation: str, summary: str, schema: str, parameters: Sequence[Json]) -> Json:
    item = get(operation, summary, tag=TAG, parameters=parameters, answers={JSON: ref(schema), HTML: TEXT})
    responses = {**item["get"]["responses"], **_refusals("400", "404", "406", "503")}
    return {"get": {**item["get"], "responses": responses}}


def _execution(parameters: Sequence[Json]) -> Json:
    prefer = {
        "name": "Prefer",
        "in": "header",
        "description": "`respond-async` for a job; with `wait=10` only where it is expected to take longer than 10 s",
        "schema": TEXT,
    }
    location = {"description": "Address of the job", "schema": ADDRESS}
    accepted = {**_answer("Job", JSON), "headers": {"Location": {**location, "required": True}}}
    answers = {"200": _any_results(), "201": accepted, "204": _only_links(), **_refusals("413", "415")}
    example = {"inputs": {"string": "Hello"}}
    body = {"required": True, "content": {JSON: {"schema": ref("ProcessExecution"), "example": example}}}
    operation = _operation("execute", "Execute a process, at once or as a job", [*parameters, prefer], answers)
    return {**operation, "requestBody": body, "callbacks": _callbacks()}


def _callbacks() -> Json:
    messages = {
        "successUri": ("jobCompleted", "The results, files among them as links", "ProcessResults"),
        "inProgressUri": ("jobInProgress", "How far the job is", "Job"),
        "failedUri": ("jobFailed", "That the job failed, and why", "Job"),
    }
    return {
        name: {
            f"{{$request.body#/subscriber/{member}}}": {
                "post": {
                    "summary": summary,
                    "requestBody": {"required": True, "content": {JSON: {"schema": ref(schema)}}},
                    "responses": {"2XX": {"description": "It was heard"}},
                }
            }
        }
        for member, (name, summary, schema) in messages.items()
    }


def _results(operation: str, summary: str, parameters: Sequence[Json], answers: Mapping[str, Json]) -> Json:
    problem = {"schema": ref("Problem")}
    failed = {"description": "Why the job failed", "content": {PROBLEM: problem, JSON: problem}}
    return _operation(operation, summary, parameters, {"200": _any_results(), **answers, "default": failed})


def _operation(operation: str, summary: str, parameters: Sequence[Json], answers: Mapping[str, Json]) -> Json:
    return {
        "operationId": operation,
        "summary": summary,
        "tags": [TAG],
        "parameters": list(parameters),
        "responses": {**answers, **_refusals("400", "403", "404", "503")},
    }


def _refusals(*statuses: str) -> dict[str, Json]:
    names = {
        "400": "BadRequest",
        "403": "Forbidden",
        "404": "NotFound",
        "406": "NotAcceptable",
        "413": "TooLarge",
        "415": "BadRequest",
        "503": "Unavailable",
    }
    return {status: {"$ref": f"#/components/responses/Process{names[status]}"} for status in statuses}


def _answer(schema: str, media_type: str) -> Json:
    return {"description": schema, "content": {media_type: {"schema": ref(schema)}}}


def _any_results() -> Json:
    return {
        "description": "One result, several of them in parts, or a document",
        "content": {"*/*": {"schema": ANYTHING}},
    }


def _only_links() -> Json:
    links = {"description": "Where the results are (RFC 8288)", "schema": TEXT}
    return {"description": "All results lie where the header Link says", "headers": {"Link": links}}


def _elsewhere() -> Json:
    place = {"description": "Where its file is to be had for some minutes", "schema": TEXT}
    return {"description": "The file lies in another store", "headers": {"Location": place}}
