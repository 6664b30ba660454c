"""The commands of `chronotile` (docs/reference/command-line.md). Each imports its dependencies when it runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from chronotile import __version__
from chronotile.cli import jobs, keys, optimise, state
from chronotile.cli.opening import (
    close_archive,
    exiting_in_one_line,
    fail,
    index_findings,
    open_archive,
    print_lines,
    progress_bar,
    settings_of,
    subscriber_findings,
)
from chronotile.cli.serve import run_server
from chronotile.cli.usage import usage

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Serve raster time series as tiles, maps and series, with a viewer.",
)
app.add_typer(jobs.app, name="jobs")
app.add_typer(keys.app, name="keys")
app.add_typer(optimise.app, name="optimise")

DEMO_WORKERS = 1
"""Default for the demo: one worker starts fastest."""
HAS_COMMA = (
    "separates prefixes in CHRONOTILE_SOURCE_PREFIXES; repeat --allow for each prefix, or allow a folder above that "
    "has no comma in its path"
)

ConfigArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="CONFIG|FOLDER|FILE",
        help="Configuration (YAML), data folder or data file; default: $CHRONOTILE_CONFIG or config/chronotile.yaml.",
        show_default=False,
    ),
]
ServedArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="CONFIG|FOLDER|FILE|STAC",
        help="Configuration (YAML), data folder, data file, or URL or file of a STAC catalogue; default: "
        "$CHRONOTILE_CONFIG or config/chronotile.yaml.",
        show_default=False,
    ),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on; default: $CHRONOTILE_HOST or 127.0.0.1.")]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port to listen on; default: $CHRONOTILE_PORT or 8000; 0 takes a free one."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Server processes; default: $CHRONOTILE_WORKERS or one per core.")
]


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"chronotile {__version__}")
        raise typer.Exit


@app.callback()
def _prepare(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    # Numpy reads these variables when it is imported. With more threads than cores, products of small matrices take 100
    # times longer.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GDAL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@app.command()
def demo(
    port: Port = None,
    folder: Annotated[Path, typer.Option("--dir", help="Folder of the archive.")] = Path("data/demo"),
    host: Host = None,
) -> None:
    """Make the demo archive if it is absent (synthetic, 5 years over Belgium) and serve it with the viewer."""
    with exiting_in_one_line():
        from chronotile.app.process_setup import end_well_when_stopped
        from chronotile.demo.in_subprocess import make_demo_in_subprocess

        settings = settings_of(host=host, port=port)
        end_well_when_stopped()
        with progress_bar("making the demo archive", has_lines=True) as progress:
            place = make_demo_in_subprocess(folder, progress=progress)
        print_lines([f"opening {place}"])
        run_server(settings.model_copy(update={"config": place}), usual_workers=DEMO_WORKERS)


@app.command()
def serve(
    place: ServedArgument = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    write_config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a configuration of the data found to this file, then serve it."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PREFIX",
            help="Folder or URL whose files STAC items may name, in addition to the catalogue's own host; "
            "repeatable; default: $CHRONOTILE_SOURCE_PREFIXES.",
        ),
    ] = None,
) -> None:
    """Serve a configuration, a folder or file of data, or a STAC catalogue, collection or API."""
    with exiting_in_one_line():
        # A host without a scheme is not a folder, and is refused below.
        prefixes = [str(Path(prefix).absolute()) if _is_folder(prefix) else prefix for prefix in allow or ()]
        for prefix in prefixes:
            if "," in prefix:
                fail(f"--allow {prefix} has a comma, which {HAS_COMMA}")
        options = {"host": host, "port": port, "workers": workers, "source_prefixes": ",".join(prefixes) or None}
        from chronotile.cli.catalogue import published_catalogue, settings_of_catalogue
        from chronotile.cli.opening import is_catalogue

        if place is not None and not is_catalogue(place):
            place = published_catalogue(place) or place
        if place is not None and is_catalogue(place):
            settings = settings_of_catalogue(place, settings_of(**options))
        else:
            settings = settings_of(config=place, **options)
        run_server(settings, write_config)


def _is_folder(prefix: str) -> bool:
    return bool(prefix) and "://" not in prefix and Path(prefix).is_dir()


@app.command()
def check(place: ConfigArgument = None) -> None:
    """Check configuration, styles and sources; print one line per finding and place set; 1 if any is an error."""
    with exiting_in_one_line():
        from chronotile.archive.check import check_archive
        from chronotile.archive.describe import finding_lines, place_lines, summary
        from chronotile.cli.index import passes_of

        settings = settings_of(config=place)
        archive = open_archive(settings, "error")
        with passes_of(settings, archive) as passes:
            source_findings = list(check_archive(archive, passes))
        findings = [
            *archive.findings,
            *source_findings,
            *index_findings(settings, archive),
            *subscriber_findings(settings, archive),
        ]
        catalogue = archive.services.catalogue
        print_lines((*finding_lines(findings), *place_lines(catalogue), summary(catalogue, findings)))
        close_archive(archive)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
def audit(
    place: ConfigArgument = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Random blocks of cells to compare if there are too many to compare all.")
    ] = 1000,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the random blocks, to repeat an audit; default: random.")
    ] = None,
) -> None:
    """Compare served values with the sources, read by GDAL and xarray; exit 1 if any differ or none are compared."""
    with exiting_in_one_line():
        from chronotile.audit.archive import Audit, audit_archive

        archive = open_archive(settings_of(config=place), "error")
        result = Audit(seed=int.from_bytes(os.urandom(4)) if seed is None else seed)
        print_lines(audit_archive(archive, result, samples=samples))
        for reason in archive.services.reopen_reasons(archive.services.readers).values():
            typer.echo(f"{reason}; run the audit again")
        typer.echo(result.summary())
        archive.close()
    if not result.is_right:
        raise typer.Exit(1)


@app.command()
def layers(place: ConfigArgument = None) -> None:
    """List the layers with their times, extent and styles."""
    with exiting_in_one_line():
        from chronotile.archive.describe import archive_lines, unserved_lines

        archive = open_archive(settings_of(config=place), "error")
        print_lines(archive_lines(archive.services.catalogue))
        for line in unserved_lines(archive.services.catalogue, archive.findings):
            typer.echo(line, err=True)
        archive.close()


@app.command()
def index(
    place: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="Configuration (YAML); default: $CHRONOTILE_CONFIG or config/chronotile.yaml.",
            show_default=False,
        ),
    ] = None,
    collection: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this collection; default: all collections of items.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Watch the sources for changes until stopped.")] = False,
    every: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="With --watch: interval of requests to servers.")
    ] = 60,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE.parquet", help="Write the items of one collection as stac-geoparquet.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read all items of a STAC API, not only items updated since the last run.")
    ] = False,
) -> None:
    """Fill or update the index of scenes and tiles from STAC catalogues and APIs, stac-geoparquet and files."""
    if watch and export is not None:
        raise typer.BadParameter("it cannot be used with --watch", param_hint="--export")
    with exiting_in_one_line():
        from chronotile.cli.index import run_index

        run_index(
            settings_of(config=place),
            collection=collection,
            is_watching=watch,
            export=export,
            every_s=every,
            is_full=full,
        )


@app.command()
def publish(
    name: Annotated[
        str,
        typer.Argument(metavar="COLLECTION|JOB", help="Id of a collection, or of a finished job.", show_default=False),
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|s3://...", help="Target: a new folder, or one published before.", show_default=False
        ),
    ],
    config: Annotated[
        str | None,
        typer.Option(
            metavar="CONFIG|FOLDER|FILE",
            help="The archive, as for serve; default: $CHRONOTILE_CONFIG or config/chronotile.yaml.",
        ),
    ] = None,
    datetime: Annotated[
        str | None, typer.Option(metavar="START/END", help="Only items of this instant or interval.")
    ] = None,
    bbox: Annotated[
        str | None, typer.Option(metavar="W,S,E,N", help="Only items that meet this box, in degrees.")
    ] = None,
    filter_: Annotated[
        str | None, typer.Option("--filter", metavar="CQL2", help="Only items that match this filter.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title; default: title of the collection or process.")] = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Public URL of the target, for documents that contain it."),
    ] = None,
    project: Annotated[
        str | None, typer.Option(metavar="ID", help="Project in the Open Science Catalogue; default: the collection.")
    ] = None,
    theme: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Theme in the Open Science Catalogue, repeatable; default: land."),
    ] = None,
    viewer: Annotated[
        bool, typer.Option("--viewer", help="Write the viewer with cube tiles, which needs no server, instead.")
    ] = False,
    zooms: Annotated[
        str | None, typer.Option(metavar="FIRST-LAST", help="With --viewer: only these zooms; default: all.")
    ] = None,
    max_files: Annotated[
        int, typer.Option(min=1, help="With --viewer: refuse to write more files; the error has their number.")
    ] = 100_000,
) -> None:
    """Write a collection, or the results of a job, as a static STAC catalogue with its files."""
    with exiting_in_one_line():
        from chronotile.cli.publish import PublishOptions, run_publish

        options = PublishOptions(
            config=config,
            to=to,
            datetime=datetime,
            bbox=bbox,
            filter=filter_,
            title=title,
            url=url,
            project=project,
            themes=tuple(theme or ()),
            zooms=zooms,
            max_files=max_files,
            is_viewer=viewer,
        )
        run_publish(name, options)


@app.command()
def worker(
    place: ConfigArgument = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes that run jobs; default: one per core; unused with $CHRONOTILE_DASK_ADDRESS."
        ),
    ] = None,
) -> None:
    """Do jobs until stopped, with processes of this machine or the Dask cluster at $CHRONOTILE_DASK_ADDRESS."""
    with exiting_in_one_line():
        from chronotile.cli.worker import do_jobs

        do_jobs(settings_of(config=place), processes=processes)


for command in (usage, state.migrate, state.backup, state.restore):
    app.command()(command)


def main() -> None:
    """Run the command that the command line names, and end the process."""
    from chronotile.app.process_setup import run_process

    run_process(app)
