"""`chronotile optimise`: writes, updates and verifies serving cubes, and writes cube tiles as files."""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from chronotile.cli.cube_collections import CollectionOptions, run_on_collection, target_grid
from chronotile.cli.opening import exiting_in_one_line, open_archive, print_lines, progress_bar, settings_of
from chronotile.core.machine import this_machine
from chronotile.core.printable import printable

if TYPE_CHECKING:
    from chronotile.core.model.source import TargetGrid
    from chronotile.optimise.conversion import Packing
    from chronotile.optimise.options import Options

COMMANDS = (
    "chronotile optimise new SOURCE... DEST.zarr writes a cube, optimise update SOURCE... CUBE.zarr adds dates to it, "
    "optimise verify SOURCE... CUBE.zarr compares it with its sources, optimise cube-tiles CONFIG DEST writes tiles"
)


class OptimiseGroup(TyperGroup):
    """The commands of `chronotile optimise`; arguments without a command, as in earlier releases, are refused."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 -- a class that typer does not export
        """Return the arguments after the options of the group."""
        if args and args[0] not in self.commands and args[0] != "--help":
            typer.echo(f"chronotile: optimise has no command {printable(args[0][:60])}: {COMMANDS}", err=True)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=OptimiseGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Write, update and verify serving cubes, which have maps, overviews and series; write cube tiles.",
)


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
NewCube = Annotated[Path, typer.Argument(metavar="DEST.zarr", help="The cube to write.")]
ExistingCube = Annotated[Path, typer.Argument(metavar="CUBE.zarr", help="The existing cube.")]
Variables = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="This variable only; several with --collection.")
]
Select = Annotated[
    list[str] | None,
    typer.Option(metavar="DIM=VALUE", help="Step of another dimension of --variable: depth=10, depth=index:0."),
]
TimePattern = Annotated[
    str | None, typer.Option(metavar="RE", help="Regular expression over paths with a group (?P<time>...).")
]
GroupOption = Annotated[str | None, typer.Option("--group", metavar="PATH", help="Group of NetCDF, HDF5 or Zarr.")]
DtypeOption = Annotated[str | None, typer.Option(help="Pack the values into this integer type.")]
PackedDtypeOption = Annotated[str | None, typer.Option(help="Integer type of a packed cube, as for new.")]
Scale = Annotated[float, typer.Option(help="With --dtype: value = number * scale + offset.")]
Offset = Annotated[float, typer.Option(help="With --dtype: value = number * scale + offset.")]
Memory = Annotated[
    str | None, typer.Option(help="Memory limit, such as 512MiB; default: 2GiB, or half of a smaller machine's memory.")
]
TasksOption = Annotated[int | None, typer.Option(min=1, help="Tasks run in parallel; default: one per core.")]
DaskAddress = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address of a Dask scheduler.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")]
Config = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="With --collection: the configuration; default: $CHRONOTILE_CONFIG or config/chronotile.yaml.",
    ),
]
CollectionOption = Annotated[
    str | None, typer.Option(metavar="ID", help="The source is this collection of items of --config, on one grid.")
]
CrsOption = Annotated[
    str | None,
    typer.Option(
        metavar="EPSG:...", help="CRS of the grid of swaths, or with --collection; default: the grid of the source."
    ),
]
Resolution = Annotated[
    float | None, typer.Option(min=0, help="With --crs: side of a cell, in units of the CRS.", show_default=False)
]
RuleOption = Annotated[
    OverlapRule | None, typer.Option(help="With --collection: the value where items overlap; default: as configured.")
]
TimesOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --collection: only these times, an instant or interval per line."),
]
OF_FILES = ("select", "time_pattern", "group")
OF_COLLECTIONS = ("config", "bbox", "mosaic", "times")
"""Options for files and stores, and options for collections of items."""


@app.command()
def new(
    context: typer.Context,
    sources: Sources,
    target: NewCube,
    layout: Annotated[
        CubeLayout | None, typer.Option(help="Default: both; series for tiled rasters with overviews.")
    ] = None,
    variable: Variables = None,
    select: Select = None,
    time_pattern: TimePattern = None,
    group: GroupOption = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Variable with classes: overviews take the most common class, not the mean."),
    ] = None,
    dtype: DtypeOption = None,
    scale: Scale = 1.0,
    offset: Offset = 0.0,
    memory: Memory = None,
    workers: TasksOption = None,
    dask: DaskAddress = None,
    resume: Resume = False,
    config: Config = None,
    collection: CollectionOption = None,
    crs: CrsOption = None,
    resolution: Resolution = None,
    bbox: Annotated[
        str | None,
        typer.Option(metavar="W,S,E,N", help="With --collection: only this box, in degrees.", show_default=False),
    ] = None,
    mosaic: RuleOption = None,
    times: TimesOption = None,
) -> None:
    """Write a new serving cube. Its sources are rasters, NetCDF, Zarr, or a collection of scenes or tiles."""
    _check_sources(context)
    with exiting_in_one_line():
        from chronotile.optimise.existing import require_new

        require_new(target)
        options = replace(
            _selection(variable, select, time_pattern, group, target_grid(crs, resolution)),
            layout=None if layout is None else layout.value,
            classes=tuple(classes or ()),
            packing=_packing(dtype, scale, offset),
            memory_bytes=_memory_bytes(memory),
            threads=workers,
            dask=dask,
            resume=resume,
        )
        chosen = _collection(config, collection, variable, crs, resolution, mosaic, times)
        _write(sources, target, options, None if chosen is None else replace(chosen, bbox=bbox))


@app.command()
def update(
    context: typer.Context,
    sources: Sources,
    target: ExistingCube,
    variable: Variables = None,
    select: Select = None,
    time_pattern: TimePattern = None,
    group: GroupOption = None,
    dtype: PackedDtypeOption = None,
    scale: Scale = 1.0,
    offset: Offset = 0.0,
    memory: Memory = None,
    workers: TasksOption = None,
    dask: DaskAddress = None,
    resume: Resume = False,
    config: Config = None,
    collection: CollectionOption = None,
    crs: CrsOption = None,
    resolution: Resolution = None,
    mosaic: RuleOption = None,
    times: TimesOption = None,
) -> None:
    """Write new and changed dates into an existing cube."""
    _check_sources(context)
    with exiting_in_one_line():
        from chronotile.optimise.existing import require_existing

        require_existing(target)
        options = replace(
            _selection(variable, select, time_pattern, group, target_grid(crs, resolution)),
            packing=_packing(dtype, scale, offset),
            memory_bytes=_memory_bytes(memory),
            threads=workers,
            dask=dask,
            resume=resume,
        )
        _write(sources, target, options, _collection(config, collection, variable, crs, resolution, mosaic, times))


@app.command()
def verify(
    context: typer.Context,
    sources: Sources,
    target: ExistingCube,
    variable: Variables = None,
    select: Select = None,
    time_pattern: TimePattern = None,
    group: GroupOption = None,
    config: Config = None,
    collection: CollectionOption = None,
    crs: CrsOption = None,
    resolution: Resolution = None,
    mosaic: RuleOption = None,
    times: TimesOption = None,
) -> None:
    """Compare a cube with its sources. Exit with 1 if a value or time differs, or if no value is compared."""
    _check_sources(context)
    with exiting_in_one_line():
        from chronotile.optimise.collections import verify_collection
        from chronotile.optimise.verify import verify_cube

        options = _selection(variable, select, time_pattern, group, target_grid(crs, resolution))
        chosen = _collection(config, collection, variable, crs, resolution, mosaic, times)
        if chosen is None:
            with progress_bar("verifying") as progress:
                summary = verify_cube(sources, target, options, progress=progress)
        else:
            summary = run_on_collection(chosen, "verifying", partial(verify_collection, target=target))
        print_lines([summary])


@app.command()
def cube_tiles(
    source: Annotated[
        str,
        typer.Argument(metavar="CONFIG|FOLDER|FILE", help="Configuration (YAML), data folder or data file, as served."),
    ],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="The folder of the files.")],
    layer: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A layer; default: each with values and times.")
    ] = None,
    zooms: Annotated[str | None, typer.Option(metavar="A-B", help="Zooms; default: up to the native one.")] = None,
    years: Annotated[str | None, typer.Option(metavar="A-B", help="Years; default: all closed years.")] = None,
    tile_matrix_set: Annotated[
        str | None, typer.Option(metavar="ID", help="Tile matrix set; default: the first served set.")
    ] = None,
    workers: TasksOption = None,
) -> None:
    """Write cube tiles of closed years as files. Only missing and outdated files are written."""
    with exiting_in_one_line():
        from chronotile.app.process_setup import keep_freed_memory
        from chronotile.optimise.cube_tiles import CubeOptions, parse_span, write_cubes

        keep_freed_memory()
        options = CubeOptions(
            layers=tuple(layer or ()),
            tile_matrix_set=tile_matrix_set,
            zooms=parse_span(zooms, locator="zooms"),
            years=parse_span(years, locator="years"),
            threads=workers,
        )
        archive = open_archive(settings_of(config=source), "error")
        with progress_bar("writing") as progress:
            report = write_cubes(archive.services, target, options, progress=progress)
        archive.close()
        print_lines(report.lines())


def _check_sources(context: typer.Context) -> None:
    """Refuse a command without a source, with two kinds of sources, or with options of the other kind."""
    values = context.params
    if values["collection"] is None:
        _refuse(context, OF_COLLECTIONS, "needs --collection")
        if not values["sources"]:
            raise typer.BadParameter("Missing argument: name a source, or --collection", param_hint="SOURCE...")
        if len(values["variable"] or ()) > 1:
            raise typer.BadParameter("it may be given more than once with --collection only", param_hint="--variable")
        return
    if values["sources"]:
        raise typer.BadParameter("with --collection, name the cube alone", param_hint="SOURCE...")
    _refuse(context, OF_FILES, "cannot be used with --collection")
    if values["target"].suffix != ".zarr":
        raise typer.BadParameter(f"{values['target'].name} does not end in .zarr", param_hint="DEST.zarr")


def _refuse(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuse options that are set."""
    for name in names:
        if context.params.get(name):
            raise typer.BadParameter(f"it {why}", param_hint=f"--{name.replace('_', '-')}")


def _selection(
    variable: list[str] | None,
    select: list[str] | None,
    time_pattern: str | None,
    group: str | None,
    grid: "TargetGrid | None",
) -> "Options":
    """Return the options that select data of the sources."""
    from chronotile.optimise.options import Options, parse_step

    return Options(
        variable=variable[0] if variable else None,
        select=tuple(map(parse_step, select or ())),
        time_pattern=time_pattern,
        group=group,
        grid=grid,
    )


def _collection(
    config: str | None,
    collection: str | None,
    variable: list[str] | None,
    crs: str | None,
    resolution: float | None,
    mosaic: OverlapRule | None,
    times: Path | None,
) -> CollectionOptions | None:
    """Return the options of a collection; `None` for files and stores."""
    if collection is None:
        return None
    return CollectionOptions(
        config=config,
        collection=collection,
        variables=tuple(variable or ()),
        crs=crs,
        resolution=resolution,
        mosaic=None if mosaic is None else mosaic.value,
        times=times,
    )


def _packing(dtype: str | None, scale: float, offset: float) -> "Packing | None":
    from chronotile.optimise.conversion import Packing

    return None if dtype is None else Packing(dtype=dtype, scale=scale, offset=offset)


def _memory_bytes(memory: str | None) -> int:
    """Return the memory limit: the option, or a default for this machine, with printed notes."""
    from chronotile.optimise.memory import default_memory, parse_bytes

    memory_bytes, notes = default_memory(this_machine()) if memory is None else (parse_bytes(memory), ())
    print_lines(notes)
    return memory_bytes


def _write(sources: list[str], target: Path, options: "Options", collection: CollectionOptions | None) -> None:
    """Write files or a collection into a new or an existing cube, and print a report."""
    from chronotile.app.process_setup import keep_freed_memory, share_one_heap
    from chronotile.optimise.collections import optimise_collection
    from chronotile.optimise.run import optimise

    if collection is not None:
        report = run_on_collection(collection, "writing", partial(optimise_collection, target=target, options=options))
    else:
        keep_freed_memory()
        share_one_heap()  # with one heap per thread, a run took up to twice its memory limit
        with progress_bar("writing") as progress:
            report = optimise(sources, target, options, progress=progress)
    print_lines(report.lines())
