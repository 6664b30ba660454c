"""The process *echo*: returns its inputs, for trying a client and for OGC's conformance suites.

The suite of OGC API - Processes sends `teststring` to every string input, ignoring enumerations in its schema, and
`{"value": "teststring"}` to every object input, which means the text itself. So no string input has an enumeration, and
the object input accepts text. The suite of WPS sends text to the last literal input, and XML to the last complex input.
"""

import time
from collections.abc import Mapping, Sequence

from chronotile.core.errors import ClientGone
from chronotile.core.model.job import Result
from chronotile.core.model.space.crs import CRS84_URI
from chronotile.core.model.types import Json
from chronotile.jobs.processes.process import Inputs, JobPlan, Output, Process, Work, optional
from chronotile.pipeline.services import Services

MAX_PAUSE_S = 60.0
STEP_S = 0.05
"""Interval between checks whether the pause has to end early."""

BBOX: Json = {
    "type": "object",
    "required": ["bbox"],
    "properties": {
        "bbox": {
            "type": "array",
            "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
            "items": {"type": "number"},
        },
        "crs": {"type": "string", "format": "uri", "default": CRS84_URI},
    },
    "format": "ogc-bbox",
}
KINDS: Mapping[str, tuple[str, Json]] = {
    "string": ("Some text", {"type": "string", "maxLength": 10_000}),
    "number": ("A number from 0 to 100", {"type": "number", "minimum": 0, "maximum": 100}),
    "array": ("Whole numbers", {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "integer"}}),
    "object": (
        "A member and its value, or some text",
        {"oneOf": [{"type": "object", "maxProperties": 100}, {"type": "string", "maxLength": 10_000}]},
    ),
    "bbox": ("A bounding box", BBOX),
    "binary": (
        "Bytes, as base64",
        {"type": "string", "contentEncoding": "base64", "contentMediaType": "application/octet-stream"},
    ),
    "mixed": ("A number or a word", {"oneOf": [{"type": "number"}, {"type": "string", "maxLength": 100}]}),
}


def _plan(inputs: Inputs, _services: Services) -> JobPlan:
    return JobPlan(tasks=[{}], seconds=float(inputs.get("pause", 0)), held_bytes=0)


def _run(inputs: Inputs, _task: Json, work: Work) -> Json:
    until = time.monotonic() + float(inputs.get("pause", 0))
    while (remaining_s := until - time.monotonic()) > 0:
        if not work.is_active():
            raise ClientGone("no client is waiting any more")
        time.sleep(min(remaining_s, STEP_S))
    return {}


def _finish(inputs: Inputs, _done: Sequence[Json], _work: Work) -> Mapping[str, Result]:
    return {name: Result(value=inputs[name]) for name in KINDS if name in inputs}


process = Process(
    id="echo",
    title="Echo",
    description="Returns its inputs, after a pause if one is requested.",
    keywords=("test",),
    inputs={
        "pause": optional(
            "Pause",
            "Seconds to wait before the end.",
            {"type": "number", "minimum": 0, "maximum": MAX_PAUSE_S, "default": 0},
        ),
        **{name: optional(title, f"{title}, which is returned.", schema) for name, (title, schema) in KINDS.items()},
    },
    outputs={
        name: Output(title=title, description="The input.", schema=schema) for name, (title, schema) in KINDS.items()
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
