"""Processes and jobs as pages for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from chronotile.errors import SourceUnavailable
from chronotile.model.job import ENDED, Job, JobDetails, Result
from chronotile.processes.registry import output_schema, processes
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.pages import Step, document_page
from chronotile.protocols.ogcapi.processes.documents import job_address, moment_text, result_address
from chronotile.protocols.ogcapi.processes.media_types import media_type_of
from chronotile.queue.result_files import ResultFiles

MOST_SHOWN = 20_000
"""Characters of inputs on a page."""
REFRESH_S = 5
"""After so long the page of a job that has not ended is loaded again."""
SHORT_ID = 8
"""Characters of a job's id by which people tell it from others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A result of a job, as its page offers it."""

    href: str
    name: str
    """Of its file, or of its output where it is none."""
    title: str
    """Of its output, if that is known still."""
    media_type: str
    size_bytes: int | None
    """Of a file in the folder of the job."""


def downloads(job: Job, files: ResultFiles, context: DocumentContext) -> Sequence[Download]:
    """Return the results of a job; `files` are its own."""
    process = processes().get(job.process)
    outputs = {} if process is None else process.outputs
    return [
        Download(
            href=result_address(job, name, context),
            name=result.file or name,
            title=outputs[name].title if name in outputs else "",
            media_type=media_type_of(result, output_schema(job.process, name)),
            size_bytes=_size(result, files),
        )
        for name, result in job.results.items()
    ]


def processes_page(document: Json, context: DocumentContext) -> bytes:
    """Return the list of processes as HTML."""
    return document_page("Processes", document, context, template="processes", further=_further(document))


def process_page(document: Json, context: DocumentContext) -> bytes:
    """Return the description of a process as HTML."""
    return document_page(
        document["title"],
        document,
        context,
        above=[Step(title="Processes", href=f"{context.base}/processes?f=html")],
        template="process",
        lead=document["description"],
        how_many=_how_many,
        schema_text=_schema_text,
    )


def jobs_page(document: Json, context: DocumentContext) -> bytes:
    """Return the list of jobs as HTML."""
    return document_page(
        "Jobs",
        document,
        context,
        template="jobs",
        further=_further(document),
        short_id=_short_id,
        seconds_text=_seconds_text,
    )


def job_page(
    job: Job, details: JobDetails, document: Json, context: DocumentContext, *, results: Sequence[Download]
) -> bytes:
    """Return how far a job is as HTML, with its results, what was requested and its log."""
    return document_page(
        f"Job {_short_id(job.id)}",
        document,
        context,
        above=[Step(title="Jobs", href=f"{context.base}/jobs?f=html")],
        template="job",
        address=job_address(job, context),
        is_known=job.process in processes(),
        refresh_s=None if job.status in ENDED else REFRESH_S,
        results=results,
        inputs=details.inputs,
        fault=job.fault,
        log=[(moment_text(moment), _said(text, job)) for moment, text in details.log],
        seconds_text=_seconds_text,
    )


def _further(document: Json) -> str | None:
    """Where a list goes on, as a page; the link of the document, in which `f` is last, leads to JSON."""
    links = (link["href"] for link in document["links"] if link["rel"] == "next")
    return next((f"{href.removesuffix('f=json')}f=html" for href in links), None)


def _size(result: Result, files: ResultFiles) -> int | None:
    """Bytes of a file that is at hand; a bucket would take a request."""
    if result.file is None:
        return None
    try:
        match files.file(result.file):
            case Path() as path:
                return path.stat().st_size
            case _:
                return None
    except (SourceUnavailable, FileNotFoundError):  # which the link says better
        return None


def _said(text: str, job: Job) -> str:
    """A line of the log, without the reason, which the page has above."""
    return "failed" if job.fault is not None and text == f"failed: {job.fault.detail}" else text


def _short_id(id_: str) -> str:
    return id_[:SHORT_ID]


def _seconds_text(moment: str) -> str:
    """A moment as documents tell it, for people: to the second."""
    return f"{moment[:10]} {moment[11:19]}Z"


def _how_many(description: Json) -> str:
    """How often an input may be given."""
    few, most = description["minOccurs"], description["maxOccurs"]
    if most == 1:
        return "required" if few else "optional"
    return f"{few} to {most}"


def _schema_text(schema: Json) -> str:
    return orjson.dumps(schema).decode()
