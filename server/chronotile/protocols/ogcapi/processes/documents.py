"""Processes and jobs as documents (OGC 18-062r2 §7.9 to §7.12, §11)."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np

from chronotile.model.job import ENDED, Job
from chronotile.model.time.instants import format_instant
from chronotile.processes.process import Input, Output, Process
from chronotile.processes.registry import output_schema, processes
from chronotile.protocols.common.responses.problem import MEDIA_TYPE as PROBLEM
from chronotile.protocols.ogcapi.block import DocumentContext, Json, Link
from chronotile.protocols.ogcapi.processes.media_types import HTML, JSON, media_type_of
from chronotile.protocols.ogcapi.processes.params import TYPE, JobsQuery, Paging

RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
REL_PROCESSES = f"{RELATIONS}/processes"
REL_JOBS = f"{RELATIONS}/job-list"
REL_EXECUTE = f"{RELATIONS}/execute"
REL_RESULTS = f"{RELATIONS}/results"
REL_EXCEPTIONS = f"{RELATIONS}/exceptions"


def landing_links(context: DocumentContext) -> Sequence[Link]:
    """Return the processes and the jobs."""
    return [
        Link(rel=REL_PROCESSES, href=f"{context.base}/processes?f=json", type=JSON, title="processes"),
        Link(rel=REL_PROCESSES, href=f"{context.base}/processes?f=html", type=HTML, title="processes as HTML"),
        Link(rel=REL_JOBS, href=f"{context.base}/jobs?f=json", type=JSON, title="jobs"),
        Link(rel=REL_JOBS, href=f"{context.base}/jobs?f=html", type=HTML, title="jobs as HTML"),
    ]


def process_list(found: Sequence[Process], paging: Paging, context: DocumentContext) -> Json:
    """Return a page of the list of processes."""
    listed = found[paging.offset : paging.offset + paging.limit]
    following = paging.following(len(found))
    links = _both(f"{context.base}/processes", "processes", urlencode(paging.address(paging.offset)))
    if following is not None:
        query = urlencode(paging.address(following))
        links.append(_json("next", f"{context.base}/processes?{query}&f=json", "the next processes"))
    return {"processes": [_summary(each, context) for each in listed], "links": _written(links)}


def process_document(process: Process, context: DocumentContext) -> Json:
    """Return the description of a process."""
    return {
        **_summary(process, context),
        "inputs": {name: _input(each) for name, each in process.inputs.items()},
        "outputs": {name: _output(each) for name, each in process.outputs.items()},
    }


def job_list(jobs: Iterable[Job], query: JobsQuery, matched: int, context: DocumentContext) -> Json:
    """Return a page of the list of jobs, of which so many match."""
    url, following = f"{context.base}/jobs", query.paging.following(matched)
    links = _both(url, "jobs", query.address(query.paging.offset))
    if following is not None:
        links.append(_json("next", f"{url}?{query.address(following)}&f=json", "the next jobs"))
    listed = [status_document(job, context) for job in jobs]
    return {"jobs": listed, "numberMatched": matched, "numberReturned": len(listed), "links": _written(links)}


def status_document(job: Job, context: DocumentContext) -> Json:
    """Return how far a job is."""
    times = {"created": job.created, "started": job.started, "finished": job.finished, "updated": job.updated}
    return {
        "processID": job.process,
        "type": TYPE,
        "jobID": job.id,
        "status": job.status,
        "message": job.message,
        **{name: moment_text(moment) for name, moment in times.items() if moment is not None},
        "progress": job.progress,
        **_metadata(job),
        "links": _written(_job_links(job, context)),
    }


def removed_document(job: Job, context: DocumentContext) -> Json:
    """Return how a job was that had ended and is removed now: it is linked no more."""
    return {
        **status_document(job, context),
        "status": "dismissed",
        "message": "was removed, with its results",
        "links": _written(_links_beside(job, context)),
    }


def job_address(job: Job, context: DocumentContext) -> str:
    """Return the URL of a job."""
    return f"{context.base}/jobs/{job.id}"


def result_address(job: Job, output: str, context: DocumentContext) -> str:
    """Return where one of its results is."""
    return f"{job_address(job, context)}/results/{quote(output)}"


def moment_text(moment: float) -> str:
    """Return seconds since 1970 as RFC 3339, UTC, to the millisecond."""
    return format_instant(np.datetime64(round(moment * 1000), "ms").astype("datetime64[ns]"))


def _metadata(job: Job) -> Json:
    """What its results were made of, which is the same for all of them; nothing where no layer was read."""
    metadata = next((each.metadata for each in job.results.values()), None)
    return {} if metadata is None else {"metadata": metadata}


def _job_links(job: Job, context: DocumentContext) -> list[Link]:
    url = job_address(job, context)
    links = [*_both(url, "job"), *_links_beside(job, context)]
    if job.status not in ENDED:
        links.append(_json("monitor", f"{url}?f=json", "how far the job is"))
    if job.status == "successful":
        # Whether they are raw, in parts or a document stands with the inputs, which may be too long to be read here.
        links.append(Link(rel=REL_RESULTS, href=f"{url}/results", type=None, title="results"))
        for name, result in job.results.items():
            media_type = media_type_of(result, output_schema(job.process, name))
            links.append(Link(rel="item", href=result_address(job, name, context), type=media_type, title=name))
    if job.status == "failed":
        links.append(Link(rel=REL_EXCEPTIONS, href=f"{url}/results", type=PROBLEM, title="why it failed"))
    return links


def _links_beside(job: Job, context: DocumentContext) -> list[Link]:
    links = [_json("up", f"{context.base}/jobs?f=json", "all jobs")]
    if job.process in processes():  # or else an earlier version had it
        links.append(_json("related", f"{context.base}/processes/{quote(job.process)}?f=json", "process"))
    return links


def _summary(process: Process, context: DocumentContext) -> Json:
    url = f"{context.base}/processes/{quote(process.id)}"
    links = [
        *_both(url, process.title),
        _json(REL_EXECUTE, f"{url}/execution", "where it is requested"),
        _json(REL_JOBS, f"{context.base}/jobs?processID={quote(process.id)}&f=json", "its jobs"),
        _json("up", f"{context.base}/processes?f=json", "all processes"),
    ]
    return {
        "id": process.id,
        "version": process.version,
        "title": process.title,
        "description": process.description,
        **({"keywords": list(process.keywords)} if process.keywords else {}),
        "jobControlOptions": ["sync-execute", "async-execute", "dismiss"],
        "outputTransmission": ["value", "reference"],
        "links": _written(links),
    }


def _input(declared: Input) -> Json:
    return {
        "title": declared.title,
        "description": declared.description,
        "minOccurs": int(declared.is_required),
        "maxOccurs": declared.most,
        "schema": _schema(declared.schema),
    }


def _output(declared: Output) -> Json:
    return {"title": declared.title, "description": declared.description, "schema": _schema(declared.schema)}


def _schema(part: Any) -> Any:  # noqa: ANN401 -- any part of a schema
    """A schema in the words of OpenAPI 3.0, which has one example."""
    if isinstance(part, list):
        return [_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    converted = {name: _schema(each) for name, each in part.items()}
    if isinstance(converted.get("examples"), list):  # otherwise it is a property of that name
        converted["example"] = converted.pop("examples")[0]
    return converted


def _both(url: str, title: str, query: str = "") -> list[Link]:
    start = f"{url}?{query}{'&' if query else ''}"
    return [
        _json("self", f"{start}f=json", title),
        Link(rel="alternate", href=f"{start}f=html", type=HTML, title=title),
    ]


def _json(rel: str, href: str, title: str) -> Link:
    return Link(rel=rel, href=href, type=JSON, title=title)


def _written(links: Iterable[Link]) -> list[Json]:
    return [link.document() for link in links]
