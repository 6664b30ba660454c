"""A task of a job, run by an OS process of a cluster that sees the same files."""

import json
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

from chronotile.archive.live import ItemAccess, LiveArchive, LiveArchives
from chronotile.core.durable_files import Disk, make_private_folder, open_private
from chronotile.core.errors import (
    LOG_SAYS_WHY,
    ClientGone,
    ConfigurationError,
    PlanOutdated,
    PlanStale,
    SourceUnavailable,
    raised_instead,
)
from chronotile.core.model.job import Result
from chronotile.core.model.types import Json
from chronotile.jobs.processes.execute import finish_results
from chronotile.jobs.processes.process import Inputs, JobPlan, Work, require_meaning, sources_from_json, sources_to_json
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.processes.work.partial_results import run_task
from chronotile.jobs.queue.faults import (
    UNKNOWN,
    JobFailed,
    NameUnknown,
    PlanNeeded,
    TemporaryFault,
    fault_of,
    is_foreseen,
)
from chronotile.jobs.queue.job_folder import PARTIAL_RESULTS, RESULTS, make_folders, remove_partial_results
from chronotile.pipeline.services import PublishedCubes, Services

INPUTS = "inputs.json"
TASKS = "blocks.json"
DONE = "done.json"
"""Files in the folder of a job, of what would be much to send with each task; what a plan shares is another."""
FILES_GONE = "files of the job are gone"
READ_BYTES = 8 << 20
"""Of the text that a process keeps of several jobs."""
READ_FILES = 100
"""That it keeps of several jobs, however small they are: all are gone through at each task."""
log = logging.getLogger(__name__)

_FORESEEN = re.compile(
    rf"\b({'|'.join(each.__name__ for each in (TemporaryFault, PlanNeeded, JobFailed, NameUnknown))})\("
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """What a task, or the end of a job, needs to be done anywhere, besides what lies in the folder of the job."""

    place: str
    """Of the configuration or the data."""
    revision: str
    """Of what was served when the job was begun: who has an archive of another one looks for changes first."""
    process: str
    folder: str
    """Of the job."""
    plan: str
    """Id of the plan that the task is of; a process that has read another plan reads this one."""
    published_cubes: PublishedCubes | None = None
    """As who runs the job has it; who does a task elsewhere may have other settings."""
    items: ItemAccess | None = field(default=None, repr=False)
    """Likewise; not shown, as Dask logs the arguments of tasks and the address of a database may have a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """The part of a plan that stays in the OS process that runs the job."""

    id: str
    tasks: Sequence[Json]


_archives = LiveArchives(most=1)
"""Tasks reach a process as pickles: what it keeps from one to the next is its own."""


def do_task(context: TaskContext, task: Json) -> Json:
    """Do a task and return what is to be remembered of it.

    Raises:
        TemporaryFault: A source cannot be read now.
        PlanNeeded: Its files are encoded in other ways than the plan knows.
        JobFailed: The verb met something else that was foreseen, or a source is another than it was planned with.
    """
    with _as_job_faults():
        return run_task(process_of(context.process), _read_file(context, INPUTS), task, _work(context))


def finish(context: TaskContext) -> dict[str, Result]:
    """Make the results of a job from what its tasks gave, which `store_task_results` has written.

    Raises:
        TemporaryFault: As `do_task`.
        PlanNeeded: As `do_task`.
        JobFailed: As `do_task`.
    """
    with _as_job_faults():
        done = _task_results(context)
        try:
            return dict(finish_results(process_of(context.process), _read_file(context, INPUTS), done, _work(context)))
        except (
            ClientGone
        ):  # a partial result is gone, perhaps with another attempt's plan: these tasks lead to no end any more
            forget_plan(Path(context.folder))
            raise


def store_plan(folder: Path, inputs: Inputs, plan: JobPlan) -> StoredPlan:
    """Lay down the inputs of a job and its plan, where all who do its tasks find them, then and if it is begun again.

    Partial results of other plans are removed.

    Raises:
        SourceUnavailable: The folder is removed at this moment.
    """
    stored = StoredPlan(id=uuid4().hex, tasks=plan.tasks)
    remove_partial_results(folder)
    with raised_instead(FileNotFoundError, SourceUnavailable(FILES_GONE)):
        make_private_folder(_partial_results(folder, stored.id))
        make_folders(folder)
    _keep(folder / INPUTS, inputs)
    shared = {"shared": plan.shared, "sources": sources_to_json(plan.sources)}
    _keep(folder / _shared(stored.id), shared)
    _keep(folder / TASKS, {"plan": stored.id, "blocks": list(plan.tasks)})
    return stored


def stored_plan(folder: Path) -> StoredPlan | None:
    """Return the plan of a job that was begun before, if it is complete: its partial results have a folder."""
    try:
        written = json.loads((folder / TASKS).read_bytes())
    except FileNotFoundError:
        return None
    stored = StoredPlan(id=written["plan"], tasks=written["blocks"])
    needed = (_partial_results(folder, stored.id), *(folder / name for name in (RESULTS, INPUTS, _shared(stored.id))))
    return stored if all(each.exists() for each in needed) else None


def forget_plan(folder: Path) -> None:
    """Let the next attempt at a job plan it again."""
    (folder / TASKS).unlink(missing_ok=True)


def store_task_results(folder: Path, done: Sequence[Json]) -> None:
    """Lay down what all tasks gave, in their order, for `finish`.

    Raises:
        SourceUnavailable: The folder is gone.
    """
    _keep(folder / DONE, list(done))


def _keep(file: Path, value: object) -> None:
    """Write a file, whole or not at all, and on the disk; another attempt may be at the same."""
    disk, own = Disk(), file.with_name(f"{file.name}.{uuid4().hex}")
    with raised_instead(FileNotFoundError, SourceUnavailable(FILES_GONE)):
        with open(own, "xb", opener=open_private) as written:
            written.write(json.dumps(value).encode())
            written.flush()
            disk.fsync(written.fileno())
        disk.rename(own, file)
        disk.settle([file.parent])


@contextmanager
def _as_job_faults() -> Iterator[None]:
    """Errors of ours do not all come through a pickle; their words do."""
    logging.getLogger("distributed.worker").addFilter(_is_news)
    try:
        yield
    except PlanStale as error:
        raise PlanNeeded(fault_of(error)) from None
    except PlanOutdated as error:
        raise JobFailed(fault_of(error)) from None
    except SourceUnavailable as error:
        raise TemporaryFault(fault_of(error)) from None
    except ClientGone:  # where the job was dismissed nobody hears it; else its partial results are gone, or seem so
        raise TemporaryFault(fault_of(SourceUnavailable(FILES_GONE))) from None
    except UNKNOWN as error:
        raise NameUnknown(error.message) from None
    except Exception as error:  # those that are not foreseen are raised again, for the worker's log
        if not is_foreseen(error):
            raise
        raise JobFailed(fault_of(error)) from None


def _is_news(record: logging.LogRecord) -> bool:
    # Whether a line of Dask's log is about more than a task that ended as foreseen, one of a dismissed job perhaps.
    # The worker logs those in a line, or not at all; Dask would each of three times, with the stack.
    return not (str(record.msg).startswith("Compute Failed") and _FORESEEN.search(str(record.args)))


def _read_file(context: TaskContext, name: str) -> Json:
    try:
        return _read_files.read(Path(context.folder) / name)
    except FileNotFoundError as error:
        raise SourceUnavailable(
            "the job was deleted, or the process that runs the task cannot see its folder"
        ) from error


def _partial_results(folder: Path, plan: str) -> Path:
    # Folder of the partial results of a plan.
    return folder / PARTIAL_RESULTS / plan


def _shared(plan: str) -> str:
    # Name of the file of the input that all tasks of a plan share: its own, as processes cache it.
    return f"shared-{plan}.json"


def _task_results(context: TaskContext) -> list[Json]:
    with raised_instead(FileNotFoundError, SourceUnavailable(FILES_GONE)):
        written = (Path(context.folder) / DONE).read_bytes()
    done: list[Json] = json.loads(written)
    return done


class ReadFiles:
    """The input that all tasks of a job share, from the files of jobs, so that it is not read for each task again.

    Args:
        most_bytes: Of their text in all; that of one job is cached at any size. Read it takes ten times as much.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._contents: dict[Path, tuple[Json, int]] = {}
        """The file that was requested last stands last."""

    def read(self, file: Path) -> Json:
        """Return what a file has, or had when it was first read.

        Raises:
            FileNotFoundError: It is gone.
        """
        with self._lock:
            content = self._contents.pop(file) if file in self._contents else _read(file)
            self._contents[file] = content
            in_all = sum(size for _content, size in self._contents.values())
            for other in [other for other in self._contents if other.parent != file.parent]:
                if in_all <= self._most_bytes and len(self._contents) <= READ_FILES:
                    break
                in_all -= self._contents.pop(other)[1]
            return content[0]


def _read(file: Path) -> tuple[Json, int]:
    text = file.read_bytes()
    return json.loads(text), len(text)


_read_files = ReadFiles(READ_BYTES)


def current(live: LiveArchive, revision: str | None = None) -> Services:
    """Return the services of an archive, which is reloaded first unless it has that revision."""
    live.refresh(unless_revision=revision)
    return live.services


def _work(context: TaskContext) -> Work:
    folder = Path(context.folder)
    # Who dismisses a job, or plans it anew, takes its partial results away, on whatever host they are looked for.
    partial_results = _partial_results(folder, context.plan)
    shared = _read_file(context, _shared(context.plan))
    services, sources = current(_archive(context), context.revision), sources_from_json(shared["sources"])
    require_meaning(sources, services)
    return Work(
        services=replace(services, published_cubes=context.published_cubes),
        folder=partial_results,
        results=folder / RESULTS,
        shared=shared["shared"],
        sources=sources,
        is_active=partial_results.exists,
    )


def _archive(context: TaskContext) -> LiveArchive:
    """The archive of a job, whose mistakes name files of this machine: they are for the log.

    Raises:
        SourceUnavailable: It cannot be opened here.
    """
    try:
        return _archives.at(Path(context.place), context.items)
    except ConfigurationError as error:
        log.error("the archive of a job cannot be opened: %s", error)  # noqa: TRY400 -- its words say all
        raise SourceUnavailable(
            f"a process that does tasks of the job cannot open the archive; {LOG_SAYS_WHY}"
        ) from error
