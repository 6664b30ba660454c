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

from chronotile.archive.live_archive import ItemAccess, LiveArchive, LiveArchives
from chronotile.core.durable_files import Disk
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
from chronotile.core.private_files import make_private_folder, open_private
from chronotile.jobs.processes.execute import finish_results
from chronotile.jobs.processes.process import Inputs, JobPlan, Work
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.processes.sources import require_meaning, sources_from_json, sources_to_json
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
"""Files in the folder of a job, because they are too large to send with each task; a further one has shared input."""
FILES_GONE = "files of the job are gone"
READ_BYTES = 8 << 20
"""Limit of the cached text of several jobs."""
READ_FILES = 100
"""Limit of cached files of several jobs of any size: each task searches all of them."""
log = logging.getLogger(__name__)

_FORESEEN = re.compile(
    rf"\b({'|'.join(error.__name__ for error in (TemporaryFault, PlanNeeded, JobFailed, NameUnknown))})\("
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """Everything that a process needs to run a task or finish a job, except the files in the folder of the job."""

    place: str
    """Path of the configuration or the data."""
    revision: str
    """Revision that was served when the attempt started; a process with another revision reloads the archive first."""
    process: str
    folder: str
    """Folder of the job."""
    plan: str
    """Id of the plan of the task; a process with another plan in memory reads this one."""
    published_cubes: PublishedCubes | None = None
    """Settings of the worker of the job; the process of the task may have other settings."""
    items: ItemAccess | None = field(default=None, repr=False)
    """Access of the worker to the item index. Not in its `repr`: Dask logs arguments, which may have a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """The part of a plan that stays in the OS process that runs the job."""

    id: str
    tasks: Sequence[Json]


_archives = LiveArchives(most=1)
"""Archives cached by this process. Tasks arrive as pickles, which contain no open files."""


def do_task(context: TaskContext, task: Json) -> Json:
    """Run a task and return its result to store.

    Raises:
        TemporaryFault: A source cannot be read now.
        PlanNeeded: The files of a source have other encodings than the plan expects.
        JobFailed: The process raised another expected error, or a source has changed since it was planned.
    """
    with _convert_errors():
        return run_task(process_of(context.process), _read_file(context, INPUTS), task, _make_work(context))


def finish(context: TaskContext) -> dict[str, Result]:
    """Make the results of a job from the results of its tasks, which `store_task_results` has written.

    Raises:
        TemporaryFault: See `do_task`.
        PlanNeeded: See `do_task`.
        JobFailed: See `do_task`.
    """
    with _convert_errors():
        done = _task_results(context)
        try:
            return dict(
                finish_results(process_of(context.process), _read_file(context, INPUTS), done, _make_work(context))
            )
        except ClientGone:
            # A partial result is missing, perhaps removed with the plan of another attempt: these tasks are useless.
            forget_plan(Path(context.folder))
            raise


def store_plan(folder: Path, inputs: Inputs, plan: JobPlan) -> StoredPlan:
    """Write inputs and plan to the folder of a job for all processes that run its tasks, in later attempts too.

    Partial results of other plans are removed.

    Raises:
        SourceUnavailable: The folder is removed at this moment.
    """
    stored = StoredPlan(id=uuid4().hex, tasks=plan.tasks)
    remove_partial_results(folder)
    with raised_instead(FileNotFoundError, SourceUnavailable(FILES_GONE)):
        make_private_folder(_partial_results(folder, stored.id))
        make_folders(folder)
    _write_json(folder / INPUTS, inputs)
    shared = {"shared": plan.shared, "sources": sources_to_json(plan.sources)}
    _write_json(folder / _shared_file(stored.id), shared)
    _write_json(folder / TASKS, {"plan": stored.id, "blocks": list(plan.tasks)})
    return stored


def stored_plan(folder: Path) -> StoredPlan | None:
    """Return the plan of an earlier attempt at a job; `None` unless its files and folders are complete."""
    try:
        written = json.loads((folder / TASKS).read_bytes())
    except FileNotFoundError:
        return None
    stored = StoredPlan(id=written["plan"], tasks=written["blocks"])
    needed = (
        _partial_results(folder, stored.id),
        *(folder / name for name in (RESULTS, INPUTS, _shared_file(stored.id))),
    )
    return stored if all(path.exists() for path in needed) else None


def forget_plan(folder: Path) -> None:
    """Remove the plan of a job, so that its next attempt plans it again."""
    (folder / TASKS).unlink(missing_ok=True)


def store_task_results(folder: Path, done: Sequence[Json]) -> None:
    """Write the results of all tasks, in their order, for `finish`.

    Raises:
        SourceUnavailable: The folder of the job was removed.
    """
    _write_json(folder / DONE, list(done))


def _write_json(file: Path, value: object) -> None:
    """Write a file durably, complete or not at all; another attempt may write the same file."""
    disk, temporary = Disk(), file.with_name(f"{file.name}.{uuid4().hex}")
    with raised_instead(FileNotFoundError, SourceUnavailable(FILES_GONE)):
        with open(temporary, "xb", opener=open_private) as written:
            written.write(json.dumps(value).encode())
            written.flush()
            disk.fsync(written.fileno())
        disk.rename(temporary, file)
        disk.settle([file.parent])


@contextmanager
def _convert_errors() -> Iterator[None]:
    """Convert errors, as not all classes of errors survive pickling, but their messages do."""
    logging.getLogger("distributed.worker").addFilter(_is_news)
    try:
        yield
    except PlanStale as error:
        raise PlanNeeded(fault_of(error)) from None
    except PlanOutdated as error:
        raise JobFailed(fault_of(error)) from None
    except SourceUnavailable as error:
        raise TemporaryFault(fault_of(error)) from None
    except ClientGone:  # the folder of partial results is missing, or cannot be seen; nobody reads faults of ended jobs
        raise TemporaryFault(fault_of(SourceUnavailable(FILES_GONE))) from None
    except UNKNOWN as error:
        raise NameUnknown(error.message) from None
    except Exception as error:  # unexpected errors reach the log of the worker unchanged
        if not is_foreseen(error):
            raise
        raise JobFailed(fault_of(error)) from None


def _is_news(record: logging.LogRecord) -> bool:
    # Hides Dask's three reports, each with a stack trace, of a task that ended with an expected error: the worker of
    # the job logs the error in one line, or not at all if the job was dismissed.
    return not (str(record.msg).startswith("Compute Failed") and _FORESEEN.search(str(record.args)))


def _read_file(context: TaskContext, name: str) -> Json:
    try:
        return _read_files.read(Path(context.folder) / name)
    except FileNotFoundError as error:
        raise SourceUnavailable(
            "the job was deleted, or the process that runs the task cannot see its folder"
        ) from error


def _partial_results(folder: Path, plan: str) -> Path:
    # Folder of the partial results of a plan
    return folder / PARTIAL_RESULTS / plan


def _shared_file(plan: str) -> str:
    # File of the shared input of a plan; each plan has another name, because processes cache files by name.
    return f"shared-{plan}.json"


def _task_results(context: TaskContext) -> list[Json]:
    with raised_instead(FileNotFoundError, SourceUnavailable(FILES_GONE)):
        written = (Path(context.folder) / DONE).read_bytes()
    done: list[Json] = json.loads(written)
    return done


class ReadFiles:
    """Cache of the files that all tasks of a job read, so that they are not parsed for each task again. Thread-safe.

    Args:
        max_bytes: Limit of the text of all cached files; the files of the current job are cached at any size. Parsed
            JSON takes ten times as much memory.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._contents: dict[Path, tuple[Json, int]] = {}
        """Parsed content and text size by file, the last used file last."""

    def read(self, file: Path) -> Json:
        """Return the content of a file, as it was when first read.

        Raises:
            FileNotFoundError: It is missing.
        """
        with self._lock:
            content = self._contents.pop(file) if file in self._contents else _read(file)
            self._contents[file] = content
            in_all = sum(size for _content, size in self._contents.values())
            for other in [other for other in self._contents if other.parent != file.parent]:
                if in_all <= self._max_bytes and len(self._contents) <= READ_FILES:
                    break
                in_all -= self._contents.pop(other)[1]
            return content[0]


def _read(file: Path) -> tuple[Json, int]:
    text = file.read_bytes()
    return json.loads(text), len(text)


_read_files = ReadFiles(READ_BYTES)


def current_services(live: LiveArchive, revision: str | None = None) -> Services:
    """Return the services of an archive, which is reloaded first unless it has that revision."""
    live.refresh(unless_revision=revision)
    return live.services


def _make_work(context: TaskContext) -> Work:
    folder = Path(context.folder)
    # The end or a new plan of a job removes its partial results, and processes on all hosts check whether they exist.
    partial_results = _partial_results(folder, context.plan)
    shared = _read_file(context, _shared_file(context.plan))
    services, sources = current_services(_open_archive(context), context.revision), sources_from_json(shared["sources"])
    require_meaning(sources, services)
    return Work(
        services=replace(services, published_cubes=context.published_cubes),
        folder=partial_results,
        results=folder / RESULTS,
        shared=shared["shared"],
        sources=sources,
        is_active=partial_results.exists,
    )


def _open_archive(context: TaskContext) -> LiveArchive:
    """Return the archive of a job. Errors of its configuration name local files, so they go to the log only.

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
