"""The commands of `chronotile` (docs/reference/command-line.md). Each imports its dependencies when it runs."""

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chronotile import __version__
from chronotile.cli import jobs, keys, state
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
from chronotile.core.machine import this_machine

if TYPE_CHECKING:
    from chronotile.optimise.conversion import Packing
    from chronotile.optimise.options import Options

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Serve raster time series as tiles, maps and series, with a viewer.",
)
app.add_typer(jobs.app, name="jobs")
app.add_typer(keys.app, name="keys")

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


class CubeLayout(StrEnum):
    """Layouts of a serving cube."""

    both = "both"
    map = "map"
    series = "series"


class OverlapRule(StrEnum):
    """Rule that makes one value of overlapping items."""

    first = "first"
    latest = "latest"
    least_nodata = "least_nodata"
    max = "max"
    mean = "mean"
    median = "median"


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="[SOURCE...]",
        help="Rasters (files, folders, patterns), NetCDF or Zarr; omit with --collection.",
        default_factory=list,
        show_default=False,
    ),
]
Variables = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Convert this variable only; several with --collection.")
]
Config = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="With --collection: the configuration; default: $CHRONOTILE_CONFIG or config/chronotile.yaml.",
    ),
]
CollectionOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Write this collection of items of --config onto one grid.")
]
CrsOption = Annotated[
    str | None,
    typer.Option(metavar="EPSG:...", help="With --collection: CRS of the grid; default: grid of the collection."),
]
Resolution = Annotated[
    float | None, typer.Option(min=0, help="With --crs: side of a cell, in units of the CRS.", show_default=False)
]
BoxOption = Annotated[
    str | None,
    typer.Option(metavar="W,S,E,N", help="With --collection: only this box, in degrees.", show_default=False),
]
RuleOption = Annotated[
    OverlapRule | None, typer.Option(help="With --collection: the value where items overlap; default: as configured.")
]
TimesOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --collection: only these times, an instant or interval per line."),
]
LayoutOption = Annotated[
    CubeLayout | None,
    typer.Option(help="Default: both; series for tiled rasters with overviews; an existing cube keeps its own."),
]
Select = Annotated[
    list[str] | None,
    typer.Option(metavar="DIM=VALUE", help="Step of another dimension of --variable: depth=10, depth=index:0."),
]
TimePattern = Annotated[
    str | None, typer.Option(metavar="RE", help="Regular expression over paths with a group (?P<time>...).")
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Variable with classes: overviews take the most common class, not the mean."),
]
Memory = Annotated[
    str | None, typer.Option(help="Memory limit, such as 512MiB; default: 2GiB, or half of a smaller machine's memory.")
]
Cubes = Annotated[
    bool, typer.Option("--cubes", help="Write cube tiles of closed years below DEST instead; SOURCE as for `serve`.")
]
CubeLayers = Annotated[
    list[str] | None, typer.Option(metavar="ID", help="With --cubes: a layer; default: each with values and times.")
]
Zooms = Annotated[str | None, typer.Option(metavar="A-B", help="With --cubes: zooms; default: up to the native one.")]
OF_CUBES = ("layer", "zooms", "years", "tile_matrix_set")
OF_STORES = (
    *("layout", "variable", "select", "time_pattern", "classes", "dtype", "memory", "dask", "resume", "verify"),
)
OF_COLLECTIONS = ("config", "crs", "resolution", "bbox", "mosaic", "times")
OF_FILES = ("select", "time_pattern", "cubes")
"""Options of `optimise` that are only for cube tiles, for stores, for collections of items, and for files."""


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
    # Before numpy is imported: with more threads than cores small products take 100 times longer.
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
        from chronotile.cli.catalogue import is_catalogue, published_catalogue, settings_of_catalogue

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
    """Check a configuration, its styles and its sources; print one line per finding; 1 if any is an error."""
    with exiting_in_one_line():
        from chronotile.archive.check import check_archive
        from chronotile.archive.describe import finding_lines, summary
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
        print_lines((*finding_lines(findings), summary(archive.services.catalogue, findings)))
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
def optimise(
    context: typer.Context,
    sources: Sources,
    target: Annotated[Path, typer.Argument(metavar="DEST.zarr", help="The cube to create or update.")],
    layout: LayoutOption = None,
    variable: Variables = None,
    select: Select = None,
    time_pattern: TimePattern = None,
    classes: ClassesOption = None,
    dtype: Annotated[str | None, typer.Option(help="Pack the values into this integer type.")] = None,
    scale: Annotated[float, typer.Option(help="With --dtype: value = number * scale + offset.")] = 1.0,
    offset: Annotated[float, typer.Option(help="With --dtype: value = number * scale + offset.")] = 0.0,
    memory: Memory = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Tasks run in parallel; default: one per core.")] = None,
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address of a Dask scheduler.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare all values with the source.")] = False,
    cubes: Cubes = False,
    layer: CubeLayers = None,
    zooms: Zooms = None,
    years: Annotated[
        str | None, typer.Option(metavar="A-B", help="With --cubes: years; default: all closed years.")
    ] = None,
    tile_matrix_set: Annotated[
        str | None, typer.Option(metavar="ID", help="With --cubes; default: the first served set.")
    ] = None,
    config: Config = None,
    collection: CollectionOption = None,
    crs: CrsOption = None,
    resolution: Resolution = None,
    bbox: BoxOption = None,
    mosaic: RuleOption = None,
    times: TimesOption = None,
) -> None:
    """Write a serving cube: maps, overviews and series of rasters, NetCDF, Zarr or scenes; or add new dates."""
    _refuse_others(context, cubes=cubes, collection=collection)
    if cubes:
        _write_cubes(sources, target, layers=layer, spans=(zooms, years), tms=tile_matrix_set, threads=workers)
        return
    with exiting_in_one_line():
        from chronotile.cli.optimise import CollectionOptions, write_collection
        from chronotile.optimise.options import Options, parse_step

        options = Options(
            layout=None if layout is None else layout.value,
            variable=None if not variable else variable[0],
            select=tuple(map(parse_step, select or ())),
            time_pattern=time_pattern,
            classes=tuple(classes or ()),
            packing=_packing(dtype, scale, offset),
            memory_bytes=_memory_bytes(memory),
            threads=workers,
            dask=dask,
            resume=resume,
            verify=verify,
        )
        if collection is None:
            _write_store(sources, target, options)
            return
        chosen = CollectionOptions(
            config=config,
            collection=collection,
            variables=tuple(variable or ()),
            crs=crs,
            resolution=resolution,
            bbox=bbox,
            mosaic=None if mosaic is None else mosaic.value,
            times=times,
        )
        write_collection(chosen, target, options)


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


def _refuse_others(context: typer.Context, *, cubes: bool, collection: str | None) -> None:
    """Refuse options of `optimise` that are not for the requested output."""
    values = context.params
    _refuse(context, *((OF_STORES, "cannot be used with --cubes") if cubes else (OF_CUBES, "needs --cubes")))
    if collection is None:
        _refuse(context, OF_COLLECTIONS, "needs --collection")
        if not values["sources"]:
            raise typer.BadParameter("Missing argument: name a source, or --collection", param_hint="SOURCE...")
        if len(values["variable"] or ()) > 1:
            raise typer.BadParameter("it may be given more than once with --collection only", param_hint="--variable")
        return
    if values["sources"]:
        raise typer.BadParameter("with --collection, name DEST.zarr alone", param_hint="SOURCE...")
    _refuse(context, OF_FILES, "cannot be used with --collection")
    if values["target"].suffix != ".zarr":
        raise typer.BadParameter(f"{values['target'].name} does not end in .zarr", param_hint="DEST.zarr")


def _refuse(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuse options that are set."""
    for name in names:
        if context.params[name]:
            raise typer.BadParameter(f"it {why}", param_hint=f"--{name.replace('_', '-')}")


def _packing(dtype: str | None, scale: float, offset: float) -> "Packing | None":
    from chronotile.optimise.conversion import Packing

    return None if dtype is None else Packing(dtype=dtype, scale=scale, offset=offset)


def _memory_bytes(memory: str | None) -> int:
    """Return the memory limit: the option, or a default for this machine, with printed notes."""
    from chronotile.optimise.memory import default_memory, parse_bytes

    memory_bytes, notes = default_memory(this_machine()) if memory is None else (parse_bytes(memory), ())
    print_lines(notes)
    return memory_bytes


def _write_store(sources: list[str], target: Path, options: "Options") -> None:
    """Write a serving cube."""
    from chronotile.app.process_setup import keep_freed_memory, share_one_heap
    from chronotile.optimise.run import optimise as write_cube

    keep_freed_memory()
    share_one_heap()  # with one heap per thread, a run took up to twice its memory limit
    with progress_bar("writing") as progress:
        report = write_cube(sources, target, options, progress=progress)
    print_lines(report.lines())


def _write_cubes(
    sources: list[str],
    target: Path,
    *,
    layers: list[str] | None,
    spans: tuple[str | None, str | None],
    tms: str | None,
    threads: int | None,
) -> None:
    """Write cube tiles of closed years as files."""
    if len(sources) != 1:
        raise typer.BadParameter("--cubes takes one SOURCE: a configuration, folder or file", param_hint="SOURCE")
    with exiting_in_one_line():
        from chronotile.app.process_setup import keep_freed_memory
        from chronotile.optimise.cube_tiles import CubeOptions, parse_span, write_cubes

        keep_freed_memory()
        options = CubeOptions(
            layers=tuple(layers or ()),
            tile_matrix_set=tms,
            zooms=parse_span(spans[0], locator="zooms"),
            years=parse_span(spans[1], locator="years"),
            threads=threads,
        )
        archive = open_archive(settings_of(config=sources[0]), "error")
        with progress_bar("writing") as progress:
            report = write_cubes(archive.services, target, options, progress=progress)
        archive.close()
        print_lines(report.lines())


def main() -> None:
    """Run the command that the command line names, and end the process."""
    from chronotile.app.process_setup import run_process

    run_process(app)
