"""`chronotile serve` and `chronotile demo`: serve an archive, in this process or in several."""

import logging
import os
import shlex
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, NoReturn

import typer

from chronotile.cli.opening import fail, open_archive, print_lines
from chronotile.cli.state import require_known_state
from chronotile.core.machine import Machine, this_machine

if TYPE_CHECKING:
    from chronotile.app.settings import Settings
    from chronotile.archive.open import Archive
    from chronotile.core.finding import Finding

log = logging.getLogger(__name__)

BACKLOG = 2048
"""Connections that the system accepts before the application does."""


def run_server(settings: "Settings", write_config: Path | None = None, *, usual_workers: int | None = None) -> None:
    """Serve until stopped, with the configured number of workers, else `usual_workers`, else by cores and memory."""
    from chronotile.app import process_setup

    process_setup.share_one_heap()  # before the progress bar starts a thread
    process_setup.end_well_when_stopped()
    process_setup.block_signals(process_setup.HANG_UP)
    process_setup.allow_open_files()
    if write_config is not None and write_config.exists() and write_config.stat().st_size:
        fail(f"{write_config} exists already; name another file for --write-config")
    machine = this_machine()
    count = settings.workers or usual_workers or settings.workers_on(machine)
    origin = "configured" if settings.workers else "default" if usual_workers else "by cores and memory"
    configured, settings = settings, settings.model_copy(update={"workers": count})
    if not settings.config.exists():  # raises, so that a missing file is reported rather than a port in use
        open_archive(settings)
    with _holding_port(settings) as listener:
        # Printed first, because importing the libraries that open the archive takes seconds on a slow machine.
        if settings.log_format == "text" and settings.config.exists():
            print_lines([f"opening {settings.config}"])
        archive = open_archive(settings, is_server=True)
        require_known_state(settings)
        _log_size(settings, configured, machine, origin)
        if write_config is not None:
            _write_configuration(archive, write_config)
        lines = _lines(archive, settings, int(listener.getsockname()[1]))
        process_setup.exit_on_signal()
        if count == 1:
            _run_here(archive, settings, listener, lines)
            return
        findings = archive.findings
        archive.close()
        del archive
        _run_workers(settings, listener, lines, count=count, findings=findings)


def _log_size(settings: "Settings", configured: "Settings", machine: Machine, origin: str) -> None:
    from chronotile.app.settings import ignored_variables

    for sentence in ignored_variables(os.environ):
        log.warning("%s", sentence)
    log.info(
        "workers: %d (%s), cache: %d MiB (%s), cores: %d, memory: %d MiB",
        settings.workers,
        origin,
        settings.cache_on(machine) >> 20,
        "by memory" if configured.cache_bytes is None else "configured",
        machine.cores,
        machine.memory_bytes >> 20,
    )


@contextmanager
def _holding_port(settings: "Settings") -> Iterator[socket.socket]:
    """Yield a socket bound to the port, so that a port in use is reported before data are opened."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with _port_errors(settings.host, settings.port):
            listener.bind((settings.host, settings.port))
        yield listener


@contextmanager
def _port_errors(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        fail(f"cannot listen on {host} port {port}: {reason}; choose another with --host or --port")


def _write_configuration(archive: "Archive", file: Path) -> None:
    if archive.discovery is None:
        raise typer.BadParameter(
            "it works with a folder or file of data, not with a configuration", param_hint="--write-config"
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(archive.discovery.text(file.parent.absolute()), encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    typer.echo(f"wrote {file}; correct wrong guesses, then: chronotile serve {file}")


def _lines(archive: "Archive", settings: "Settings", port: int) -> list[str]:
    """Return printed lines: findings, URLs to open, and commands for jobs and the index of this server."""
    from chronotile.archive.describe import archive_lines, finding_lines

    host = settings.host
    shown_host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 -- shown, not listened at
    address = f"http://{f'[{shown_host}]' if ':' in shown_host else shown_host}:{port}"
    service = archive.services.catalogue.service
    place = shlex.quote(str(settings.config))
    has_items = any(spec.items is not None and not spec.is_live for spec in archive.specs.values())
    return [
        *archive_lines(archive.services.catalogue),
        *finding_lines(archive.findings),
        f"landing page  {address}/",
        f"viewer        {address}/viewer/",
        f"WMS           {address}{service.wms_paths[0]}",
        f"WMTS          {address}{service.wmts_paths[0]}",
        f"WCS           {address}/wcs",
        f"OGC API       {address}/ogcapi",
        f"STAC          {address}/stac",
        f"jobs          run with: {_allowing(settings)}chronotile worker {place}",
        *([f"new items     indexed by: {_allowing(settings)}chronotile index {place} --watch"] if has_items else []),
    ]


def _allowing(settings: "Settings") -> str:
    """Return the assignment that gives other commands the prefixes of `--allow`; empty if they have them."""
    from chronotile.core.web.item_places import SOURCE_SETTING

    prefixes = settings.source_prefixes or ""
    return "" if os.environ.get(SOURCE_SETTING, "") == prefixes else f"{SOURCE_SETTING}={shlex.quote(prefixes)} "


def _run_here(archive: "Archive", settings: "Settings", listener: socket.socket, lines: list[str]) -> None:
    """Serve in this process; connections are accepted before the URLs are printed."""
    import uvicorn

    from chronotile.app.application import serving
    from chronotile.app.process_setup import server_options
    from chronotile.app.workers.server import GracefulServer
    from chronotile.archive.finding_log import FindingLog

    finding_log = FindingLog()
    finding_log.skip(archive.findings)  # the printed lines contain these findings
    application = serving(archive, settings, finding_log=finding_log)
    server = GracefulServer(uvicorn.Config(application, **server_options()))
    with _port_errors(settings.host, settings.port):
        listener.listen(BACKLOG)
    print_lines(lines)
    server.run(sockets=[listener])
    if not server.started:
        fail("the server could not start; see the log")


def _run_workers(
    settings: "Settings", listener: socket.socket, lines: list[str], *, count: int, findings: Sequence["Finding"]
) -> NoReturn:
    """Replace this process with the supervisor of workers, which open the archive themselves.

    The supervisor does not need the memory of the opened archive (100 MB), and Python would not return it.
    """
    from chronotile.app.process_setup import ENDING, HANG_UP, block_signals
    from chronotile.app.workers.plan import WorkerPlan

    with _port_errors(settings.host, settings.port):
        listener.listen(BACKLOG)
    plan = WorkerPlan(
        count=count,
        block_bytes=settings.cache_shares(this_machine()).pixels * count,
        findings=tuple(findings),
        lines=tuple(lines),
        log_level=settings.log_level,
        log_format=settings.log_format,
    )
    with TemporaryFile("w+", encoding="utf-8") as file:
        plan.store(file)
        for inherited in (listener, file):
            os.set_inheritable(inherited.fileno(), True)
        block_signals(HANG_UP | ENDING)  # until the supervisor takes them
        sys.stdout.flush()
        command = [sys.executable, "-P", "-m", "chronotile.app.workers", str(listener.fileno()), str(file.fileno())]
        os.execve(command[0], command, os.environ | settings.as_environment())  # noqa: S606 -- none is needed
