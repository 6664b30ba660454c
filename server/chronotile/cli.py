"""The commands of `chronotile` (DESIGN 2.1). What is heavy is imported by the command that needs it."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from chronotile import __version__
from chronotile.errors import ChronotileError, ConfigurationError

if TYPE_CHECKING:
    from chronotile.ingest.archive import Archive
    from chronotile.settings import Settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Serve raster time series as tiles, maps and series, with a viewer.",
)

GRACE_S = 10
"""How long running requests may take to end when the server is stopped."""

FACTORY = "chronotile.app:create_app_from_environment"

Place = Annotated[
    str | None,
    typer.Argument(
        metavar="[CONFIG|FOLDER|FILE]",
        help="Configuration (YAML), or folder or file of data; otherwise $CHRONOTILE_CONFIG or config/chronotile.yaml.",
        show_default=False,
    ),
]
Host = Annotated[str | None, typer.Option(help="Address to listen at: 127.0.0.1, or $CHRONOTILE_HOST.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port to listen at: 8000, or $CHRONOTILE_PORT; 0 takes a free one.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes that answer: 1, or $CHRONOTILE_WORKERS.")]


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"chronotile {__version__}")
        raise typer.Exit


@app.callback()
def _prepare(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    # Before numpy is imported: with more threads than cores small products take 100 times longer.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GDAL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@app.command()
def demo(
    port: Port = None,
    folder: Annotated[Path, typer.Option("--dir", help="Where the archive is made.")] = Path("data/demo"),
    host: Host = None,
) -> None:
    """Make the demo archive if it is absent (synthetic, 5 years over Belgium) and serve it with the viewer."""
    with _failing_in_one_line():
        from chronotile.ingest.demo import make_demo  # noqa: PLC0415
        from chronotile.settings import load_settings  # noqa: PLC0415

        settings = load_settings(host=host, port=port)
        with _progress("making the demo archive") as progress:
            place = make_demo(folder, progress=progress)
        _run(settings.model_copy(update={"config": place}))


@app.command()
def serve(
    place: Place = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
) -> None:
    """Serve what a configuration says, or a folder or file of data."""
    with _failing_in_one_line():
        from chronotile.settings import load_settings  # noqa: PLC0415

        _run(load_settings(config=place, host=host, port=port, workers=workers))


@contextmanager
def _failing_in_one_line() -> Iterator[None]:
    """End with 1 and the reason, one line a mistake, where something foreseen goes wrong."""
    try:
        yield
    except ConfigurationError as error:
        _fail(*error.mistakes)
    except ChronotileError as error:
        _fail(error.message)


def _fail(*reasons: str) -> NoReturn:
    for reason in reasons:
        typer.echo(f"chronotile: {reason}", err=True)
    raise typer.Exit(1)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[str, float], None]]:
    """Give a function that is told what is being done and the share of it that is; it draws where a person looks on."""
    if not sys.stderr.isatty():
        yield lambda _what, _share: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda step, share: bar.update(task, completed=share, description=f"{what}: {step}")


def _run(settings: "Settings") -> None:
    """Serve until stopped; Ctrl-C and SIGTERM are how it is meant to end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with _listener(settings.host, settings.port) as listener:
        address = _url(settings.host, listener)
        if settings.workers == 1:
            _run_here(settings, listener, address)
        else:
            _run_workers(settings, listener, address)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


@contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    """Hold the port from the start, so that one in use is told before any data are opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            _fail(f"cannot listen at {host} port {port}: {reason}; choose another with --port or --host")
        yield listener


def _url(host: str, listener: socket.socket) -> str:
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 -- read, not listened at
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{listener.getsockname()[1]}"


def _run_here(settings: "Settings", listener: socket.socket, address: str) -> None:
    import uvicorn  # noqa: PLC0415

    from chronotile.app import application, configure_logging, open_configured  # noqa: PLC0415

    configure_logging(settings)
    archive = open_configured(settings)
    _print_archive(archive, address)
    server = uvicorn.Server(
        uvicorn.Config(application(archive.services, threads=settings.threads), **_options(settings))
    )
    server.run(sockets=[listener])
    if not server.started:
        _fail("the server could not start; the log says why")


def _run_workers(settings: "Settings", listener: socket.socket, address: str) -> None:
    """Start processes anew (never by fork, which tensorstore does not survive), once the archive is seen to open."""
    import uvicorn  # noqa: PLC0415
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415

    from chronotile.app import configure_logging, open_configured  # noqa: PLC0415

    configure_logging(settings)
    archive = open_configured(settings)
    _print_archive(archive, address)
    archive.close()
    os.environ |= settings.as_environment()
    config = uvicorn.Config(FACTORY, factory=True, workers=settings.workers, **_options(settings))
    Multiprocess(config, [listener]).run()


def _options(settings: "Settings") -> dict[str, Any]:
    return {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "ws": "none",
        "lifespan": "on",
        "forwarded_allow_ips": settings.forwarded_allow_ips,
        "timeout_graceful_shutdown": GRACE_S,
    }


def _print_archive(archive: "Archive", address: str) -> None:
    from chronotile.ingest.describe import archive_lines, finding_lines  # noqa: PLC0415

    service = archive.services.catalogue.service
    for line in (*archive_lines(archive.services.catalogue), *finding_lines(archive.findings)):
        typer.echo(line)
    typer.echo("open")
    for path in ("/", "/viewer/", service.wms_paths[0], service.wmts_paths[0]):
        typer.echo(f"  {address}{path}")
