"""The commands of `chronotile` (DESIGN 2.1). What is heavy is imported by the command that needs it."""

import logging
import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chronotile import __version__
from chronotile.commands import jobs
from chronotile.commands.failing import fail, failing_in_one_line
from chronotile.machine import Machine, this_machine

if TYPE_CHECKING:
    from chronotile.ingest.archive import Archive
    from chronotile.model.source import Finding
    from chronotile.settings import LogLevel, Settings

log = logging.getLogger(__name__)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Serve raster time series as tiles, maps and series, with a viewer.",
)
app.add_typer(jobs.app, name="jobs")

DEMO_WORKERS = 1
"""Unless told: it is up soonest."""
BACKLOG = 2048
"""Connections that may wait to be accepted."""

Place = Annotated[
    str | None,
    typer.Argument(
        metavar="CONFIG|FOLDER|FILE",
        help="Configuration (YAML), or folder or file of data; otherwise $CHRONOTILE_CONFIG or config/chronotile.yaml.",
        show_default=False,
    ),
]
Host = Annotated[str | None, typer.Option(help="Address to listen at: 127.0.0.1, or $CHRONOTILE_HOST.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port to listen at: 8000, or $CHRONOTILE_PORT; 0 takes a free one.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes that answer: one a core, or $CHRONOTILE_WORKERS.")]


class Layout(StrEnum):
    """Which layouts a serving cube has."""

    both = "both"
    map = "map"
    series = "series"


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
    with failing_in_one_line():
        from chronotile.ingest.demo.apart import make_demo_apart  # noqa: PLC0415
        from chronotile.process import end_well_when_stopped  # noqa: PLC0415

        settings = _settings(host=host, port=port)
        end_well_when_stopped()
        with _progress("making the demo archive") as progress:
            place = make_demo_apart(folder, progress=progress)
        _run(settings.model_copy(update={"config": place}), usual_workers=DEMO_WORKERS)


@app.command()
def serve(
    place: Place = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    write_config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what was found in a folder or file of data as a configuration, then serve it."
        ),
    ] = None,
) -> None:
    """Serve what a configuration says, or a folder or file of data."""
    with failing_in_one_line():
        _run(_settings(config=place, host=host, port=port, workers=workers), write_config)


@app.command()
def check(place: Place = None) -> None:
    """Say what is wrong with a configuration, its styles and its sources, one line a finding; 1 if any is an error."""
    with failing_in_one_line():
        from chronotile.ingest.check import check_archive  # noqa: PLC0415
        from chronotile.ingest.describe import finding_lines, summary  # noqa: PLC0415

        archive = _open(_settings(config=place), "error")
        findings = [*archive.findings, *check_archive(archive)]
        for line in (*finding_lines(findings), summary(archive.services.catalogue, findings)):
            typer.echo(line)
        archive.close()
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
def audit(
    place: Place = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Random blocks of cells to compare, where there are too many to compare all.")
    ] = 1000,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the random blocks, to repeat an audit; default: random.")
    ] = None,
) -> None:
    """Compare what is served with its sources as rasterio and xarray read them; exit 1 if any value differs."""
    with failing_in_one_line():
        from chronotile.ingest.audit import Audit, audit_archive  # noqa: PLC0415

        archive = _open(_settings(config=place), "error")
        found = Audit(seed=int.from_bytes(os.urandom(4)) if seed is None else seed)
        for line in audit_archive(archive, found, samples=samples):
            typer.echo(line)
        typer.echo(found.summary())
        archive.close()
    if found.mismatches:
        raise typer.Exit(1)


@app.command()
def layers(place: Place = None) -> None:
    """List the layers with their times, extent and styles."""
    with failing_in_one_line():
        from chronotile.ingest.describe import archive_lines  # noqa: PLC0415

        archive = _open(_settings(config=place), "error")
        for line in archive_lines(archive.services.catalogue):
            typer.echo(line)
        archive.close()


@app.command()
def optimise(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Rasters (files, folders, patterns), NetCDF or Zarr.")
    ],
    target: Annotated[Path, typer.Argument(metavar="DEST.zarr", help="The cube: made, or brought up to date.")],
    layout: Annotated[
        Layout | None,
        typer.Option(help="Default: both; over tiled rasters with overviews series; of a cube that is there its own."),
    ] = None,
    variable: Annotated[str | None, typer.Option(help="The only variable that is taken.")] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIM=VALUE", help="Of --variable, a step of a further dimension: depth=10, depth=index:0."
        ),
    ] = None,
    time_pattern: Annotated[
        str | None, typer.Option(metavar="RE", help="Regular expression over paths with a group (?P<time>...).")
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A variable whose numbers are classes: overviews have the commonest, no mean."
        ),
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="Pack the values into this integer type.")] = None,
    scale: Annotated[float, typer.Option(help="With --dtype: value = number * scale + offset.")] = 1.0,
    offset: Annotated[float, typer.Option(help="With --dtype: value = number * scale + offset.")] = 0.0,
    memory: Annotated[
        str | None,
        typer.Option(
            help="The most that is held at once, such as 512MiB: 2GiB, or half of what a smaller machine has."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Tasks done at once: as many as cores.")] = None,
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Scheduler of a Dask cluster.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every number with the source.")] = False,
    cubes: Annotated[
        bool,
        typer.Option(
            "--cubes", help="Write cube tiles of closed years below DEST instead; SOURCE is what `serve` takes."
        ),
    ] = False,
    layer: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="With --cubes: a layer; otherwise all with values and times.")
    ] = None,
    zooms: Annotated[
        str | None,
        typer.Option(metavar="A-B", help="With --cubes: zooms; otherwise up to the native one."),
    ] = None,
    years: Annotated[
        str | None, typer.Option(metavar="A-B", help="With --cubes: years; otherwise all that are closed.")
    ] = None,
    tile_matrix_set: Annotated[
        str | None, typer.Option(metavar="ID", help="With --cubes: otherwise the first that is served.")
    ] = None,
) -> None:
    """Write a serving cube: maps, overviews and series of rasters, NetCDF or Zarr; or add what is new."""
    of_cubes = {"--layer": layer, "--zooms": zooms, "--years": years, "--tile-matrix-set": tile_matrix_set}
    _refuse({} if cubes else of_cubes, "needs --cubes")
    if cubes:
        of_stores = (
            *(
                ("--layout", layout),
                ("--variable", variable),
                ("--select", select),
                ("--time-pattern", time_pattern),
                ("--classes", classes),
            ),
            *(("--dtype", dtype), ("--memory", memory), ("--dask", dask), ("--resume", resume), ("--verify", verify)),
        )
        _refuse(dict(of_stores), "is not for --cubes")
        if len(sources) != 1:
            raise typer.BadParameter("with --cubes there is one: a configuration, folder or file", param_hint="SOURCE")
        _write_cubes(sources[0], target, layers=layer, spans=(zooms, years), tms=tile_matrix_set, threads=workers)
        return
    with failing_in_one_line():
        from chronotile.ingest.optimise.conversion import Packing  # noqa: PLC0415
        from chronotile.ingest.optimise.memory import default_memory, parse_bytes  # noqa: PLC0415
        from chronotile.ingest.optimise.options import Options, parse_step  # noqa: PLC0415
        from chronotile.ingest.optimise.run import optimise as write_cube  # noqa: PLC0415
        from chronotile.process import keep_freed_memory  # noqa: PLC0415

        keep_freed_memory()
        memory_bytes, notes = default_memory(this_machine()) if memory is None else (parse_bytes(memory), ())
        _print(notes)
        options = Options(
            layout=None if layout is None else layout.value,
            variable=variable,
            select=tuple(map(parse_step, select or ())),
            time_pattern=time_pattern,
            classes=tuple(classes or ()),
            packing=None if dtype is None else Packing(dtype=dtype, scale=scale, offset=offset),
            memory_bytes=memory_bytes,
            threads=workers,
            dask=dask,
            resume=resume,
            verify=verify,
        )
        with _progress("writing") as progress:
            report = write_cube(sources, target, options, progress=progress)
        for line in report.lines():
            typer.echo(line)


@app.command()
def worker(
    place: Place = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that do jobs: one a core; not of $CHRONOTILE_DASK_ADDRESS.")
    ] = None,
) -> None:
    """Do jobs until stopped, with processes of this machine or the Dask cluster at $CHRONOTILE_DASK_ADDRESS."""
    with failing_in_one_line():
        from chronotile.commands.worker import do_jobs  # noqa: PLC0415

        do_jobs(_settings(config=place), processes=processes)


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Refuse options that were given."""
    for name, given in options.items():
        if given:
            raise typer.BadParameter(f"it {why}", param_hint=name)


def _write_cubes(
    place: str,
    target: Path,
    *,
    layers: list[str] | None,
    spans: tuple[str | None, str | None],
    tms: str | None,
    threads: int | None,
) -> None:
    """Write cube tiles of closed years as files."""
    with failing_in_one_line():
        from chronotile.ingest.cube_files import CubeOptions, parse_span, write_cubes  # noqa: PLC0415
        from chronotile.process import keep_freed_memory  # noqa: PLC0415

        keep_freed_memory()
        options = CubeOptions(
            layers=tuple(layers or ()),
            tile_matrix_set=tms,
            zooms=parse_span(spans[0], locator="zooms"),
            years=parse_span(spans[1], locator="years"),
            threads=threads,
        )
        archive = _open(_settings(config=place), "error")
        with _progress("writing") as progress:
            report = write_cubes(archive.services, target, options, progress=progress)
        archive.close()
        _print(report.lines())


def _settings(**given: object) -> "Settings":
    from chronotile.settings import load_settings  # noqa: PLC0415

    return load_settings(**given)


def _open(settings: "Settings", log_level: "LogLevel | None" = None, *, is_server: bool = False) -> "Archive":
    """Return the archive; a server does not wait for sources on other machines that do not answer at once."""
    from chronotile.app import configure_logging, open_configured  # noqa: PLC0415
    from chronotile.readers.elsewhere import OPENING_S, START_S  # noqa: PLC0415

    configure_logging(log_level or settings.log_level)
    with _progress("looking into the data") as progress:
        return open_configured(settings, progress=progress, patience_s=START_S if is_server else OPENING_S)


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


def _run(settings: "Settings", write_config: Path | None = None, *, usual_workers: int | None = None) -> None:
    """Serve until stopped; with as many workers as are told, else as are usual, else as are counted."""
    from chronotile.process import (  # noqa: PLC0415
        allow_open_files,
        end_well_when_stopped,
        hold_hang_ups,
        leave_if_told,
    )

    end_well_when_stopped()
    hold_hang_ups()
    allow_open_files()
    if write_config is not None and write_config.exists() and write_config.stat().st_size:
        fail(f"{write_config} exists already; name another file for --write-config")
    machine = this_machine()
    count = settings.workers or usual_workers or settings.workers_on(machine)
    origin = "told" if settings.workers else "as usual" if usual_workers else "counted"
    told, settings = settings, settings.model_copy(update={"workers": count})
    with _holding_port(settings) as listener:
        archive = _open(settings, is_server=True)
        _log_size(settings, told, machine, origin)
        if write_config is not None:
            _write_configuration(archive, write_config)
        lines = _lines(archive, settings, int(listener.getsockname()[1]))
        leave_if_told()
        if count == 1:
            _run_here(archive, settings, listener, lines)
            return
        findings = archive.findings
        archive.close()
        del archive
        _run_workers(settings, listener, lines, count=count, findings=findings)


def _log_size(settings: "Settings", told: "Settings", machine: Machine, origin: str) -> None:
    log.info(
        "workers: %d (%s), caches of all together: %d MiB (%s); there are %d cores and %d MiB of memory",
        settings.workers,
        origin,
        settings.cache_on(machine) >> 20,
        "counted" if told.cache_bytes is None else "told",
        machine.cores,
        machine.memory_bytes >> 20,
    )


@contextmanager
def _holding_port(settings: "Settings") -> Iterator[socket.socket]:
    """Give a socket at the port, bound from the start: one in use is told before any data are opened."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with _telling_port_taken(settings.host, settings.port):
            listener.bind((settings.host, settings.port))
        yield listener


@contextmanager
def _telling_port_taken(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        fail(f"cannot listen at {host} port {port}: {reason}; choose another with --host or --port")


def _write_configuration(archive: "Archive", file: Path) -> None:
    if archive.discovery is None:
        raise typer.BadParameter(
            "it is for a folder or file of data, not for a configuration", param_hint="--write-config"
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(archive.discovery.text(file.parent.absolute()), encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    typer.echo(f"wrote {file}; change what was guessed wrong, then: chronotile serve {file}")


def _lines(archive: "Archive", settings: "Settings", port: int) -> list[str]:
    """What was found, the addresses to open, and what does jobs."""
    from chronotile.ingest.describe import archive_lines, finding_lines  # noqa: PLC0415

    host = settings.host
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 -- shown, not listened at
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
    service = archive.services.catalogue.service
    return [
        *archive_lines(archive.services.catalogue),
        *finding_lines(archive.findings),
        f"landing page  {address}/",
        f"viewer        {address}/viewer/",
        f"WMS           {address}{service.wms_paths[0]}",
        f"WMTS          {address}{service.wmts_paths[0]}",
        f"OGC API       {address}/ogcapi",
        f"jobs          are done by: chronotile worker {shlex.quote(str(settings.config))}",
    ]


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
    sys.stdout.flush()


def _run_here(archive: "Archive", settings: "Settings", listener: socket.socket, lines: list[str]) -> None:
    """Serve in this process; whoever connects from the moment the addresses are printed is answered."""
    import uvicorn  # noqa: PLC0415

    from chronotile.app import serving  # noqa: PLC0415
    from chronotile.ingest.finding_log import FindingLog  # noqa: PLC0415
    from chronotile.process import server_options  # noqa: PLC0415
    from chronotile.workers.server import GracefulServer  # noqa: PLC0415

    finding_log = FindingLog()
    finding_log.skip(archive.findings)  # they are printed
    application = serving(archive, settings, finding_log=finding_log)
    server = GracefulServer(uvicorn.Config(application, **server_options()))
    with _telling_port_taken(settings.host, settings.port):
        listener.listen(BACKLOG)
    _print(lines)
    server.run(sockets=[listener])
    if not server.started:
        fail("the server could not start; the log says why")


def _run_workers(
    settings: "Settings", listener: socket.socket, lines: list[str], *, count: int, findings: Sequence["Finding"]
) -> None:
    """Serve in processes of their own, each of which opens the archive by itself."""
    import asyncio  # noqa: PLC0415

    from chronotile.workers.supervisor import Supervisor  # noqa: PLC0415

    supervisor = Supervisor(
        listener,
        count=count,
        environment=settings.as_environment(),
        block_bytes=settings.cache_shares(this_machine()).pixels * count,
        findings=findings,
        announce=lambda: _print(lines),
    )
    with _telling_port_taken(settings.host, settings.port):
        listener.listen(BACKLOG)
    asyncio.run(supervisor.run())
