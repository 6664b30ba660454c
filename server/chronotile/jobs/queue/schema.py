"""The tables of jobs in a database, and which version of them it has."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, MetaData, Row, String, Table, Text

from chronotile.core.model.job import Excerpt, Execution, Job, JobFault, Result
from chronotile.core.model.types import Json

VERSION = 4
"""Of the tables below, and of what lies in the folder and in the bucket of jobs.

From the first release on each change counts on, migrates older tables in the transaction that makes them, and renames
the table of jobs: a process of an older version that still runs then fails at its next statement, and neither misreads
what this one writes nor the other way round.
"""

METADATA = MetaData()
SCHEMA = Table("chronotile_schema", METADATA, Column("version", Integer, nullable=False))
JOBS = Table(
    "chronotile_archive_jobs",
    METADATA,
    Column("number", Integer, primary_key=True),  # in the order in which they came
    Column("id", String(32), nullable=False, unique=True),
    Column("archive", String(200), nullable=False),
    Column("revision", String(64)),  # of what it reads
    Column("process", String(80), nullable=False, index=True),
    Column("inputs", Text, nullable=False),
    Column("wanted", Text, nullable=False),  # all else that was requested
    Column("user", String(200)),
    Column("status", String(10), nullable=False),
    Column("message", Text, nullable=False),
    Column("progress", Integer, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("updated", Float(53), nullable=False),
    Column("started", Float(53)),
    Column("finished", Float(53), index=True),
    Column("attempts", Integer, nullable=False),
    Column("fruitless", Integer, nullable=False),
    Column("blocks", Integer),  # that were finished when it was claimed last
    Column("not_before", Float(53)),
    Column("owner", String(80)),
    Column("leased_until", Float(53)),
    Column("fault", Text),
    Column("results", Text),
    Index("ix_chronotile_archive_jobs_next", "archive", "status", "number"),
    Index("ix_chronotile_archive_jobs_open", "archive", "user", "status"),
    Index("ix_chronotile_archive_jobs_of", "user", "number"),
)
FINISHED_TASKS = Table(
    "chronotile_blocks",
    METADATA,
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("result", Text, nullable=False),
)
LOG = Table(
    "chronotile_log",
    METADATA,
    # SQLite counts integers only.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Float(53), nullable=False),
    Column("text", Text, nullable=False),
)

CALLBACKS = Table(
    "chronotile_callbacks",
    METADATA,
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("status", String(10), primary_key=True),  # which it reports
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),  # of the URL
    Column("base", Text, nullable=False),
    Column("due", Float(53), index=True),  # without it there is nothing to tell
    Column("not_before", Float(53), nullable=False),
    Column("tries", Integer, nullable=False),
)
CLIENTS = Table(
    "chronotile_job_clients",
    METADATA,
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("client", String(100), nullable=False, index=True),
)
"""The address that each job was submitted from, for quotas.

A table of its own, which versions that do not know it need not read: it is added without a new `VERSION`.
"""

WORKERS = Table(
    "chronotile_archive_workers",
    METADATA,
    Column("id", String(80), primary_key=True),
    Column("archive", String(200), nullable=False),
    Column("seen", Float(53), nullable=False),
)


# Jobs as rows of the table, and back.


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
    own = {each.name: getattr(row, each.name) for each in fields(Job) if each.name not in {"fault", "results"}}
    return Job(**own, fault=None if row.fault is None else JobFault(**json.loads(row.fault)))
