"""Jobs as rows of the job table."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import Row

from chronotile.core.model.job import Excerpt, Execution, Job, JobFault, Result
from chronotile.core.model.types import Json


def row_of(execution: Execution, values: Json) -> Json:
    """Return the row of a new job; `values` are the columns that do not come from the request."""
    inputs, outputs = execution.inputs, {"outputs": execution.outputs, "response": execution.response}
    row = {"process": execution.process, "inputs": json.dumps(inputs), "wanted": json.dumps(outputs)}
    return {**row, **values}


def results_text(results: Mapping[str, Result]) -> str:
    """Return results as stored."""
    return json.dumps({name: asdict(result) for name, result in results.items()})


def fault_text(fault: JobFault) -> str:
    """Return a fault as stored."""
    return json.dumps(asdict(fault))


def storable(text: str) -> str:
    """Return text that every database accepts, even if it comes from a file name: no NUL and only valid Unicode."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def execution_of(row: Row[Any]) -> Execution:
    """Return the request of a row."""
    return replace(execution_without_inputs(row), inputs=json.loads(row.inputs))


def execution_without_inputs(row: Row[Any]) -> Execution:
    """Return the request of a row without its inputs. The row may lack the column."""
    return Execution(process=row.process, inputs={}, **json.loads(row.wanted))


def excerpt_of(beginning: str, count: int, *, most: int) -> Excerpt:
    """Return an excerpt of inputs: complete inputs are indented, longer ones stay unformatted.

    Args:
        beginning: Beginning of the inputs as stored.
        count: Number of characters of the complete inputs.
        most: Maximum number of characters.
    """
    if len(beginning) < count:
        return Excerpt(text=beginning, count=count)
    text = json.dumps(json.loads(beginning), indent=2, ensure_ascii=False)
    return Excerpt(text=text[:most], count=len(text))


def job_of(row: Row[Any]) -> Job:
    """Return the job of a row with its results."""
    results = {} if row.results is None else json.loads(row.results)
    return replace(brief_of(row), results={name: Result(**written) for name, written in results.items()})


def brief_of(row: Row[Any]) -> Job:
    """Return the job of a row without its results. The row may lack the column."""
    values = {
        column.name: getattr(row, column.name) for column in fields(Job) if column.name not in {"fault", "results"}
    }
    return Job(**values, fault=None if row.fault is None else JobFault(**json.loads(row.fault)))
