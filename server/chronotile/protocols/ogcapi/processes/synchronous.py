"""What is done while its client waits, and the answers that tell of it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.responses import Response

from chronotile.model.cancellation import IsActive
from chronotile.model.job import Execution, Result
from chronotile.pipeline.services import Services
from chronotile.processes.execute import execute
from chronotile.processes.process import JobPlan
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.processes.answers import NOBODY
from chronotile.protocols.ogcapi.processes.documents import job_address, result_address
from chronotile.protocols.ogcapi.processes.media_types import JSON
from chronotile.protocols.ogcapi.processes.results import Results, results_response
from chronotile.queue.faults import FORBIDDEN, storing_results
from chronotile.queue.result_files import ResultFiles
from chronotile.queue.service import JobService
from chronotile.queue.temporary import remove_on_failure


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResults:
    """What was done while the client waited."""

    results: dict[str, Result]
    folder: Path
    """Of their files, which is removed, or moved to the folder of results."""
    revision: str | None
    """Of what was read."""


def run_now(
    execution: Execution, plan: JobPlan, services: Services, desk: JobService, *, is_active: IsActive
) -> SyncResults:
    """Execute the request.

    Raises:
        ChronotileError: It cannot be done.
        ClientGone: The client left.
    """
    folder = desk.make_folder()
    with remove_on_failure(folder), storing_results(FORBIDDEN):
        results = dict(execute(execution, services, folder, plan=plan, is_active=is_active))
    return SyncResults(results=results, folder=folder, revision=plan.revision)


def synchronous_response(execution: Execution, done: SyncResults) -> Response:
    """Return the answer that has all results, of which none has to lie somewhere."""
    results = Results(execution=execution, values=done.results, files=ResultFiles(done.folder), address_of=None)
    with remove_on_failure(done.folder):
        return results_response(results, removed=done.folder)


def stored_response(execution: Execution, done: SyncResults, desk: JobService, context: DocumentContext) -> Response:
    """Return the answer that names where results lie, which are stored as those of a job.

    Raises:
        SourceUnavailable: They cannot be stored.
        StorageFull: There is no room for them.
    """
    job, files = desk.keep(execution, done.results, done.folder, user=NOBODY, revision=done.revision)
    address_of = partial(result_address, job, context=context)
    results = Results(execution=execution, values=done.results, files=files, address_of=address_of)
    response = results_response(results)
    response.headers.append("Link", f'<{job_address(job, context)}>; rel="monitor"; type="{JSON}"')
    return response
