"""Processes and jobs as pages for people."""

from collections.abc import Sequence

import orjson

from chronotile.jobs.job import Job
from chronotile.protocols.ogcapi.block import Json, Told
from chronotile.protocols.ogcapi.pages import Step, document_page
from chronotile.protocols.ogcapi.processes.documents import moment_text

MOST_SHOWN = 20_000
"""Characters of inputs on a page."""


def processes_page(document: Json, told: Told) -> bytes:
    """Return the list of processes as HTML."""
    return document_page("Processes", document, told, template="processes")


def process_page(document: Json, told: Told) -> bytes:
    """Return the description of a process as HTML."""
    return document_page(
        document["title"],
        document,
        told,
        above=[Step(title="Processes", href=f"{told.base}/processes?f=html")],
        template="process",
        lead=document["description"],
        schema_text=_schema_text,
    )


def jobs_page(document: Json, told: Told) -> bytes:
    """Return the list of jobs as HTML."""
    return document_page("Jobs", document, told, template="jobs")


def job_page(job: Job, log: Sequence[tuple[float, str]], document: Json, told: Told) -> bytes:
    """Return how far a job is as HTML, with what was asked for and its log."""
    return document_page(
        f"Job {job.id}",
        document,
        told,
        above=[Step(title="Jobs", href=f"{told.base}/jobs?f=html")],
        template="job",
        inputs=orjson.dumps(dict(job.execution.inputs), option=orjson.OPT_INDENT_2).decode()[:MOST_SHOWN],
        fault=job.fault,
        log=[(moment_text(moment), text) for moment, text in log],
    )


def _schema_text(schema: Json) -> str:
    return orjson.dumps(schema).decode()
