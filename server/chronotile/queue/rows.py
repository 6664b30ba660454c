"""Jobs as rows of the table, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Row

from chronotile.model.job import Excerpt, Execution, Job, JobFault, Json, Result


def row_of(execution: Execution, values: Json) -> Json:
    """Return the row of a job that was just made; `values` are all that the request does not give."""
    inputs, outputs = execution.inputs, {"outputs": execution.outputs, "response": execution.response}
    row = {"process": execution.process, "inputs": json.dumps(inputs), "wanted": json.dumps(outputs)}
    return {**row, **values}


def results_text(results: Mapping[str, Result]) -> str:
    """Return results as they are written."""
    return json.dumps({name: asdict(result) for name, result in results.items()})


def fault_text(fault: JobFault) -> str:
    """Return a fault as it is written."""
    return json.dumps(asdict(fault))


def storable(text: str) -> str:
    """Return text that every database takes, of names of files too: no NUL, and nothing that is not Unicode."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def execution_of(row: Row[Any]) -> Execution:
    """Return the request."""
    return replace(execution_without_inputs(row), inputs=json.loads(row.inputs))


def execution_without_inputs(row: Row[Any]) -> Execution:
    """Return what was requested without its inputs, which the row may lack."""
    return Execution(process=row.process, inputs={}, **json.loads(row.wanted))


def excerpt_of(beginning: str, count: int, *, most: int) -> Excerpt:
    """Return inputs of which the beginning was read.

    Args:
        beginning: Of the inputs as they are written.
        count: Characters of the whole.
        most: So many characters at most.
    """
    if len(beginning) < count:
        return Excerpt(text=beginning, count=count)
    text = json.dumps(json.loads(beginning), indent=2, ensure_ascii=False)
    return Excerpt(text=text[:most], count=len(text))


def job_of(row: Row[Any]) -> Job:
    """Return a job with its results."""
    results = {} if row.results is None else json.loads(row.results)
    return replace(brief_of(row), results={name: Result(**written) for name, written in results.items()})


def brief_of(row: Row[Any]) -> Job:
    """Return a job without its results, which its row may lack."""
    return Job(
        id=row.id,
        archive=row.archive,
        revision=row.revision,
        process=row.process,
        user=row.user,
        status=row.status,
        message=row.message,
        progress=row.progress,
        created=row.created,
        updated=row.updated,
        started=row.started,
        finished=row.finished,
        attempts=row.attempts,
        fruitless=row.fruitless,
        fault=None if row.fault is None else JobFault(**json.loads(row.fault)),
    )
