"""Jobs as rows of the table, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import Row

from chronotile.jobs.job import ENDED, Excerpt, Execution, Job, JobFault, Json, Result

INPUTS = '"inputs": '
"""Where they begin in an execution as it is written, which begins with the id of its process."""


def row_of(execution: Execution, values: Json) -> Json:
    """Return the row of a job that was just made; `values` are all that is not what was asked for."""
    # In the order of the fields, as `excerpt_of` has it. Not `asdict`, which would copy millions of numbers.
    asked = json.dumps({each.name: getattr(execution, each.name) for each in fields(execution)})
    return {"process": execution.process, "execution": asked, "updated": values["created"], **values}


def results_text(results: Mapping[str, Result]) -> str:
    """Return results as they are written."""
    return json.dumps({name: asdict(result) for name, result in results.items()})


def fault_text(fault: JobFault) -> str:
    """Return a fault as it is written."""
    return json.dumps(asdict(fault))


def storable(text: str) -> str:
    """Return text that every database takes, of names of files too: no NUL, and nothing that is not Unicode."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def execution_of(asked: str) -> Execution:
    """Return what was asked for."""
    return Execution(**json.loads(asked))


def excerpt_of(beginning: str, count: int, *, most: int) -> Excerpt:
    """Return the inputs of an execution of which the beginning was read.

    Args:
        beginning: Of the execution as it is written.
        count: Characters of the whole.
        most: So many characters at most.
    """
    before, _, inputs = beginning.partition(INPUTS)
    try:
        value, _end = json.JSONDecoder().raw_decode(inputs)
    except json.JSONDecodeError:  # they go on
        return Excerpt(text=inputs, count=count - len(before) - len(INPUTS))
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return Excerpt(text=text[:most], count=len(text))


def job_of(row: Row[Any]) -> Job:
    """Return a job with its results."""
    results = {} if row.results is None else json.loads(row.results)
    return replace(brief_of(row), results={name: Result(**written) for name, written in results.items()})


def brief_of(row: Row[Any]) -> Job:
    """Return a job without its results, which its row may lack."""
    return Job(
        id=row.id,
        process=row.process,
        user=row.user,
        status=row.status,
        message=row.message,
        progress=row.progress,
        created=row.created,
        updated=row.updated,
        started=row.started,
        finished=row.finished if row.status in ENDED else None,
        attempts=row.attempts,
        fruitless=row.fruitless,
        fault=None if row.fault is None else JobFault(**json.loads(row.fault)),
    )
