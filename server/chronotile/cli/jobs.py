"""`chronotile jobs`: lists, shows and cancels jobs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chronotile.cli.opening import exiting_in_one_line, fail, print_lines
from chronotile.cli.stored import open_place, require_state, state_place

if TYPE_CHECKING:
    from chronotile.app.settings import Settings
    from chronotile.core.model.job import Job, Result
    from chronotile.core.model.types import Json
    from chronotile.jobs.queue.job_folder import ResultFiles
    from chronotile.jobs.queue.result_bucket import Bucket
    from chronotile.jobs.queue.store import JobStore

LONGEST = 200
"""Maximum characters of a printed value."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, show and cancel jobs of an archive.")

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the job, as listed.", show_default=False)]
ArchiveArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG|FOLDER|FILE",
        help="The archive, as for serve; default: $CHRONOTILE_CONFIG or config/chronotile.yaml.",
        show_default=False,
    ),
]


@app.command("list")
def list_(
    place: ArchiveArgument = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[accepted|running|successful|failed|dismissed]",
            help="Only jobs with this status; several with commas or by repeating the option.",
        ),
    ] = None,
    process: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only jobs of this process; several with commas or by repeating the option."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of jobs.")] = 50,
) -> None:
    """List the jobs of an archive, the newest first."""
    from chronotile.core.model.job import ENDED, STATUSES

    requested = _members(status)
    wrong = next((name for name in requested if name not in STATUSES), None)
    if wrong is not None:
        raise typer.BadParameter(f"{wrong[:LONGEST]!r} is not one of {', '.join(STATUSES)}", param_hint="--status")
    with exiting_in_one_line(), _store(place, empty=("0 of 0 jobs",)) as store:
        from chronotile.jobs.queue.running_workers import no_worker_message

        statuses = [name for name in STATUSES if name in requested]
        jobs, count = store.table.jobs(statuses=statuses, processes=_members(process), limit=limit)
        print_lines(columns([("id", "process", "status", "progress", "created"), *map(_row, jobs)]) if jobs else ())
        print_lines([f"{len(jobs)} of {count} jobs"])
        if any(job.status not in ENDED for job in jobs) and not store.table.heartbeat.has_workers():
            print_lines([f"{no_worker_message(store.table.archive)}: start one with chronotile worker"])


@app.command()
def show(job_id: JobArgument, place: ArchiveArgument = None) -> None:
    """Show a job: how far it is, its inputs, its log, its results."""
    with exiting_in_one_line(), _store(place) as store:
        from chronotile.jobs.queue.job_folder import RESULTS, ResultFiles

        [job] = store.table.heartbeat.mark_unattended([store.table.job(job_id)])
        print_lines(columns(_facts(job)))
        print_lines(
            _section("inputs", [(name, _short(value)) for name, value in store.table.execution(job_id).inputs.items()])
        )
        print_lines(_section("log", [(_time(at), _line(text)) for at, text in store.table.log(job_id)]))
        files = ResultFiles(store.folder / job_id / RESULTS, _bucket(), job_id)
        results = [(name, _format_result(result, files)) for name, result in job.results.items()]
        print_lines(_section("results", results))
        metadata = next((result.metadata for result in job.results.values() if result.metadata is not None), {})
        sources = [(source["collection"], _describe_source(source)) for source in metadata.get("sources", ())]
        print_lines(_section("made of", sources))


@app.command()
def cancel(job_id: JobArgument, place: ArchiveArgument = None) -> None:
    """Cancel a job that has not ended: its worker stops, and its files are removed."""
    with exiting_in_one_line(), _store(place) as store:
        from chronotile.jobs.queue.removal import cancel as cancel_job

        job = cancel_job(store.table, store.folder, job_id, bucket=_bucket())
        if job.status != "dismissed":
            fail(f"the job {job_id} has already ended: {job.status}")
        print_lines([f"the job {job_id} was dismissed"])


def _members(texts: Iterable[str] | None) -> list[str]:
    # Values of an option that may be repeated or have commas.
    return [member.strip() for text in texts or () for member in text.split(",") if member.strip()]


def _bucket() -> "Bucket | None":
    from chronotile.app.settings import load_settings

    return results_bucket(load_settings())


def results_bucket(settings: "Settings") -> "Bucket | None":
    """Return the bucket of results that the environment names, or `None`."""
    from chronotile.jobs.queue.result_bucket import PATIENCE_S, open_bucket

    return open_bucket(settings.jobs_results_url, patience_s=PATIENCE_S)


@contextmanager
def _store(place: Path | None, *, empty: Iterable[str] | None = None) -> Iterator["JobStore"]:
    settings, _state = open_place(place)
    with open_job_store(settings, empty=empty) as store:
        yield store


@contextmanager
def open_job_store(settings: "Settings", *, empty: Iterable[str] | None = None) -> Iterator["JobStore"]:
    """Yield the jobs of an archive; `empty` as for `require_state`.

    Raises:
        ConfigurationError: It has no jobs, or the database cannot be used.
        SourceUnavailable: The database is out of reach.
    """
    from chronotile.jobs.queue.store import open_store

    state = state_place(settings)
    require_state(state, "jobs", empty=empty)
    with closing(open_store(state.url, state.folder, archive=state.archive)) as store:
        yield store


def _row(job: "Job") -> tuple[str, ...]:
    return job.id, job.process, job.status, f"{job.progress}%", _time(job.created)


def _facts(job: "Job") -> list[tuple[str, str]]:
    facts = {
        "id": job.id,
        "archive": job.archive,
        "revision": job.revision,
        "process": job.process,
        "user": job.user,
        "status": job.status,
        "progress": f"{job.progress}%",
        "message": _line(job.message),
        "attempts": str(job.attempts),
        "created": _time(job.created),
        "started": None if job.started is None else _time(job.started),
        "finished": None if job.finished is None else _time(job.finished),
    }
    return [(name, value) for name, value in facts.items() if value is not None]


def _section(title: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    return [title, *(f"  {line}" for line in columns(rows))] if rows else []


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, without spaces at their ends."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _format_result(result: "Result", files: "ResultFiles") -> str:
    return _short(result.value) if result.file is None else f"{files.place(result.file)} ({result.media_type})"


def _describe_source(source: "Json") -> str:
    span = f" from {source['first']} to {source['last']}" if source["count"] else ""
    return f"{', '.join(source['layers'])}, revision {source['revision']}, {source['count']} times{span}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _line(text: str) -> str:
    # Text from clients without control characters, which a terminal would execute.
    return "".join(character if character.isprintable() else " " for character in text)


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
