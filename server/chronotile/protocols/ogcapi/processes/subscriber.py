"""Subscribers of jobs and the messages to them (OGC 18-062r2 §7.11.2.6, requirements class Callback)."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnknownParameter
from chronotile.core.model.job import Callback, Execution, Job, Status, Subscriber, WebhookMessage
from chronotile.core.model.types import Json
from chronotile.core.web.places import AllowedPlaces
from chronotile.jobs.queue.job_folder import RESULTS, ResultFiles
from chronotile.jobs.queue.result_bucket import Bucket
from chronotile.protocols.common.processes.media_types import JSON
from chronotile.protocols.common.processes.results import job_address, results_document, results_of
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.processes.documents import status_document

MEMBER = "subscriber"
OF_MEMBERS: Mapping[str, Status] = {"successUri": "successful", "inProgressUri": "running", "failedUri": "failed"}
ACCEPTED: Mapping[str, Status] = {"successUrl": "successful", **OF_MEMBERS}
"""Accepted members: the published schema of 1.0 lists `successUri` but requires `successUrl`."""


def subscriber_of(members: Json, places: AllowedPlaces, *, base: str) -> Subscriber | None:
    """Return the subscriber in the body of an execution, `None` without one.

    Args:
        members: Members of the body.
        places: URL prefixes that the operator allows.
        base: Public URL of this server.

    Raises:
        InvalidParameter: A URL is not allowed, or a member is unknown; the locator is its path in the JSON.
    """
    subscriber = members.get(MEMBER)
    if subscriber is None:
        return None
    if not places:
        message = "this server does not notify subscribers; leave subscriber out and poll the status of the job"
        raise InvalidParameter(message, locator=MEMBER)
    if not isinstance(subscriber, dict):
        raise InvalidParameter(f"{MEMBER} must be a JSON object", locator=MEMBER)
    _check_members(subscriber)
    urls = {
        status: _url(subscriber[name], places, locator=f"{MEMBER}.{name}")
        for name, status in ACCEPTED.items()
        if subscriber.get(name) is not None
    }
    return Subscriber(urls=urls, base=base) if urls else None


def message_of(
    job: Job, callback: Callback, *, catalogue: Catalogue, folder: Path, bucket: Bucket | None = None
) -> WebhookMessage:
    """Return the message about a job: its results with links to files, or its status.

    Args:
        job: The job.
        callback: Target of the message.
        catalogue: Catalogue of a server that has the job.
        folder: Folder of all jobs.
        bucket: Bucket of result files, if any.

    Raises:
        SourceUnavailable: A result file is missing.
    """
    context = DocumentContext(catalogue=catalogue, root=callback.base, language=catalogue.service.languages[0])
    link = f'<{job_address(job, context.base)}>; rel="monitor"; type="{JSON}"'
    if callback.status == "successful":
        # With access rules only links: the rights of the user are checked again when the results are read.
        reference = {"transmissionMode": "reference"}
        outputs = None if catalogue.access is None else dict.fromkeys(job.results, reference)
        execution = Execution(process=job.process, inputs={}, outputs=outputs, response="document")
        files = ResultFiles(folder / job.id / RESULTS, bucket, job.id)
        body = results_document(results_of(job, execution, files, context.base))
    else:
        body = orjson.dumps(status_document(job, context))
    return WebhookMessage(body=body, headers={"Content-Type": JSON, "Link": link})


def _check_members(members: Iterable[str]) -> None:
    """Refuse unknown members: a client would wait for messages that never come."""
    spelled = {name.lower(): name for name in ACCEPTED}
    for name in members:
        if name not in ACCEPTED:
            shortened = name[:MAX_SHOWN]
            near = difflib.get_close_matches(shortened.lower(), spelled, n=1)
            use = spelled[near[0]] if near else ", ".join(OF_MEMBERS)
            place = f"{MEMBER}.{shortened}"
            raise UnknownParameter(f"{place} is not a member here; use {use}", locator=place)


def _url(value: object, places: AllowedPlaces, *, locator: str) -> str:
    if not isinstance(value, str):
        raise InvalidParameter(f"{locator} must be a URL", locator=locator)
    return places.require_allowed(value, locator=locator)
