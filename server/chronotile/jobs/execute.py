"""Check what a process is given, and do all of it at once, where that is little."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from chronotile.errors import InvalidParameter, LimitExceeded
from chronotile.jobs.job import Execution, Json, Result
from chronotile.jobs.process import Plan, Process, Work
from chronotile.jobs.processes import process_of
from chronotile.pipeline.services import Services

SYNC_S = 20.0
"""Expected of what a request may wait for."""
JOB_INSTEAD = "ask for a job with the header Prefer: respond-async"


def planned(execution: Execution, services: Services) -> Plan:
    """Return what is to be done; reads no pixels.

    Raises:
        InvalidParameter: An input or output is unknown, missing or not as its schema says, with its path in the JSON.
        ChronotileError: The archive has no such thing.
    """
    process = process_of(execution.process)
    for name in execution.inputs:
        if name not in process.inputs:
            raise InvalidParameter(
                f"{process.id} has no input {name[:80]!r}; it has {', '.join(process.inputs) or 'none'}",
                locator=f"inputs.{name}",
            )
    for name in execution.outputs or {}:
        if name not in process.outputs:
            raise InvalidParameter(
                f"{process.id} has no output {name[:80]!r}; it has {', '.join(process.outputs)}",
                locator=f"outputs.{name}",
            )
    for name, told in process.inputs.items():
        if name in execution.inputs:
            _check(execution.inputs[name], told.schema if told.most == 1 else _several(told.schema, told.most), name)
        elif told.is_required:
            raise InvalidParameter(f"{process.id} needs the input {name}: {told.description}", locator=f"inputs.{name}")
    return process.plan(execution.inputs, services)


def execute(
    execution: Execution, services: Services, folder: Path, *, is_wanted: Callable[[], bool] = lambda: True
) -> Mapping[str, Result]:
    """Return the results of little work, whose files lie in `folder` then.

    Raises:
        LimitExceeded: It would take longer than somebody waits; a job does it.
        ChronotileError: As `planned`, and what the work itself meets.
    """
    process, plan = process_of(execution.process), planned(execution, services)
    if plan.seconds > SYNC_S:
        raise LimitExceeded(
            "seconds of a request that waits",
            allowed=round(SYNC_S),
            asked=round(plan.seconds),
            alternative=JOB_INSTEAD,
            locator="Prefer",
        )
    with tempfile.TemporaryDirectory(dir=folder) as pieces:
        work = Work(services=services, folder=Path(pieces), results=folder, is_wanted=is_wanted)
        done = [process.run(execution.inputs, block, work) for block in plan.blocks]
        return wanted_results(process, execution, process.finish(execution.inputs, done, work))


def wanted_results(process: Process, execution: Execution, results: Mapping[str, Result]) -> Mapping[str, Result]:
    """Return those that were asked for, all if none was named, in the order of the process."""
    names = process.outputs if execution.outputs is None else execution.outputs
    return {name: results[name] for name in process.outputs if name in names and name in results}


def _several(schema: Json, most: int) -> Json:
    """The schema of one value, or of an array of up to so many."""
    return {"oneOf": [schema, {"type": "array", "items": schema, "minItems": 1, "maxItems": most}]}


def _check(value: Any, schema: Json, name: str) -> None:  # noqa: ANN401 -- any JSON
    error = best_match(Draft202012Validator(schema).iter_errors(value))
    if error is None:
        return
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    raise InvalidParameter(f"inputs.{name}{path}: {error.message[:500]}", locator=f"inputs.{name}{path}")
