"""`/ogcapi/jobs/{jobID}/share`: a secret link to one job, valid for some days."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import UnknownPath
from chronotile.core.model.types import Json
from chronotile.http.base_urls import url_without_key
from chronotile.http.principal import GRANTS, user_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import JOBS
from chronotile.jobs.queue.shares import NewShare
from chronotile.protocols.common.openapi import ref
from chronotile.protocols.common.processes.jobs import granted_job, moment_text
from chronotile.protocols.common.processes.media_types import JSON
from chronotile.protocols.common.query.parameter import whole
from chronotile.protocols.ogcapi.document_requests import document_query
from chronotile.protocols.ogcapi.processes.documents import OF_JOB, describe, live_job
from chronotile.protocols.ogcapi.processes.job_routes import JOB

DAYS = whole("days", "How long the link leads to the job", least=1, most=90, default=7)


async def post_share(request: Request) -> Response:
    """Create a link that shows a job and its results to every client that has the link."""
    days = DAYS.value(document_query(request, DAYS))
    desk, id_, grants = state_of(request).jobs, request.path_params["jobID"], request.scope.get(GRANTS)
    if grants is None:
        raise UnknownPath("there are no users here: the address of a job shows it to everyone", locator="share")

    def share() -> NewShare:
        return desk.shares.create(granted_job(id_, request).id, subjects=grants.subjects, days=days)

    new_share = await run(request, JOBS, share)
    href = f"{url_without_key(request)}/k/{new_share.secret}/ogcapi/jobs/{id_}"
    document = {"href": href, "expires": moment_text(new_share.expires)}
    return Response(orjson.dumps(document), status_code=201, media_type=JSON)


async def delete_share(request: Request) -> Response:
    """End the link to a job."""
    document_query(request)
    desk, id_ = state_of(request).jobs, request.path_params["jobID"]
    await run(request, JOBS, lambda: desk.shares.end(desk.job(id_, user=user_of(request)).id))
    return Response(status_code=204)


A_SHARE: Json = {
    "description": "Link that shows the job and its results to all who have it",
    "content": {JSON: {"schema": ref("JobShare")}},
}
operations = (
    describe(
        "/jobs/{jobID}/share",
        live_job(post_share),
        "shareJob",
        "Make a link to a job and its results, in place of the one it may have",
        method="POST",
        parameters=[JOB, DAYS],
        responses={"201": A_SHARE, **OF_JOB},
    ),
    describe(
        "/jobs/{jobID}/share",
        live_job(delete_share),
        "unshareJob",
        "End the link to a job",
        method="DELETE",
        parameters=[JOB],
        responses={"204": {"description": "No link leads to the job"}, **OF_JOB},
    ),
)
