"""What the files of a stack have in common, and which of them have not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chronotile.errors import UnsupportedSource
from chronotile.model.grid import NativeGrid
from chronotile.model.source import Finding, SourceSpec
from chronotile.model.time import TimeDomain
from chronotile.readers.foreign import opening
from chronotile.readers.hrefs import base_name, names_among
from chronotile.readers.raster_bands import Band, bands_of, native_grid
from chronotile.readers.raster_files import DatedFiles
from chronotile.readers.raster_pool import HandlePool, Layout

MAX_FILES = 500
"""Files looked at when a stack is opened (about 1 ms each); of more, this many spread over all."""

_APART = "make it a collection of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one file tells about all that have its layout."""

    layouts: tuple[Layout, ...]
    """One a level."""
    levels: tuple[NativeGrid, ...]
    bands: tuple[Band, ...]
    tags: Mapping[str, str]
    """Names in lower case."""


def survey(files: DatedFiles, spec: SourceSpec) -> tuple[Sample, DatedFiles]:
    """Return what most files have in common, and the files without those that have not, which become findings.

    Raises:
        UnsupportedSource: No file can be opened, or what they have in common cannot be served.
    """
    if len(files.paths) == 1:
        return _sample(files.paths[0], spec), files
    layouts, failures = _look(files)
    if not layouts:
        raise UnsupportedSource(
            f"none of {len(files.paths)} files can be served; {next(iter(failures.values())).message}"
        )
    common = _most_common(list(layouts.values()))
    names = names_among(files.paths)
    for position, layout in layouts.items():
        if not layout.matches(common):
            failures[position] = Finding("warning", names[position], f"left out: {_difference(layout, common)}")
    fitting = {position: layout.overviews for position, layout in layouts.items() if position not in failures}
    shared = _shared_overviews(list(fitting.values()))
    sample = _sample(files.paths[next(iter(fitting))], spec, overviews=shared)
    kept = _without(files, failures)
    return sample, replace(kept, findings=(*kept.findings, *_overview_notes(files, fitting, shared)))


def _look(files: DatedFiles) -> tuple[dict[int, Layout], dict[int, Finding]]:
    """The layouts of the files looked at by position, and those that cannot be opened."""
    pool = HandlePool(max_idle=0)
    layouts: dict[int, Layout] = {}
    failures: dict[int, Finding] = {}
    names = names_among(files.paths)
    count = len(files.paths)
    for position in sorted({round(each) for each in np.linspace(0, count - 1, min(count, MAX_FILES))}):
        path = files.paths[position]
        try:
            with opening("it"), pool.lend(path) as handle:
                layouts[position] = handle.layout
        except UnsupportedSource as error:
            failures[position] = Finding("error", names[position], f"left out: {error.message}")
    return layouts, failures


def _most_common(layouts: list[Layout]) -> Layout:
    """The layout that most files have; of equally common ones the first."""
    kinds: list[list[Layout]] = []
    for layout in layouts:
        kind = next((kind for kind in kinds if layout.matches(kind[0])), None)
        if kind is None:
            kinds.append([layout])
        else:
            kind.append(layout)
    return max(kinds, key=len)[0]


def _difference(own: Layout, common: Layout) -> str:
    """In what a layout differs from that of most files, and what can be done about it."""
    if not own.crs and common.crs:
        name = _crs_name(common.crs)
        return f"it names no CRS, most files {name}; if that is its own too, write it in (gdal_edit -a_srs)"
    if own.crs != common.crs:
        what = f"its CRS is {_crs_name(own.crs)}, that of most files {_crs_name(common.crs)}"
    elif len(own.dtypes) != len(common.dtypes):
        return f"it has {_counted(len(own.dtypes), 'band')}, most files {len(common.dtypes)}; {_APART}"
    elif own.dtypes != common.dtypes:
        types = f"{_types(own)}, most files {_types(common)}"
        return f"its numbers are {types}; convert it with its scale and nodata (gdal_translate -ot), or {_APART}"
    elif _steps(own) != _steps(common):
        what = f"its pixels are {_steps(own)}, those of most files {_steps(common)}"
    elif not own._replace(width=common.width, height=common.height).matches(common):
        what = f"its corner is at {_corner(own)}, that of most files at {_corner(common)}"
    else:
        what = f"it is {own.width} x {own.height} pixels, most files {common.width} x {common.height}"
    return f"{what}; bring it to that grid (gdalwarp -t_srs -te -ts), or {_APART}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _types(layout: Layout) -> str:
    return ", ".join(dict.fromkeys(layout.dtypes))


def _crs_name(crs: Any) -> str:  # noqa: ANN401 -- rasterio has no types
    if not crs:
        return "none"
    authority = crs.to_authority()
    return ":".join(authority) if authority else "one without code"


def _steps(layout: Layout) -> str:
    """The size of the pixels, to the digits in which sizes differ that do not fit."""
    return f"{abs(layout.transform.a):.6g} x {abs(layout.transform.e):.6g}"


def _corner(layout: Layout) -> str:
    return f"({layout.transform.c:.10g}, {layout.transform.f:.10g})"


def _shared_overviews(overviews: Sequence[tuple[int, ...]]) -> int:
    """How many overviews, from the finest on, all files have."""
    count = 0
    for factors in zip(*overviews, strict=False):
        if len(set(factors)) > 1:
            break
        count += 1
    return count


def _overview_notes(files: DatedFiles, overviews: Mapping[int, tuple[int, ...]], shared: int) -> list[Finding]:
    most = max(map(len, overviews.values()))
    if most == shared:
        return []
    fewest = min(overviews, key=lambda position: len(overviews[position]))
    note = f"not all files have the same overviews: of {most}, {shared} are used (gdaladdo makes them)"
    return [Finding("warning", names_among(files.paths)[fewest], note)]


def _sample(path: str, spec: SourceSpec, *, overviews: int | None = None) -> Sample:
    pool = HandlePool(max_idle=0)
    with opening(base_name(path)), pool.lend(path) as handle:
        dataset = handle.dataset
        bands = bands_of(dataset)
        layouts, levels = [handle.layout], [native_grid(dataset, spec.crs)]
        for level in range(len(handle.layout.overviews) if overviews is None else overviews):
            with pool.lend(path, level) as overview:
                layouts.append(overview.layout)
                levels.append(native_grid(overview.dataset, spec.crs))
        tags = {str(key).lower(): str(value) for key, value in dataset.tags().items()}
        return Sample(layouts=tuple(layouts), levels=tuple(levels), bands=bands, tags=tags)


def _without(files: DatedFiles, failures: Mapping[int, Finding]) -> DatedFiles:
    """The files but those at the positions of the findings."""
    if not failures:
        return files
    kept = [position for position in range(len(files.paths)) if position not in failures]
    times = TimeDomain(files.times.starts[kept], files.times.ends[kept]) if len(files.times) else files.times
    findings = (failures[position] for position in sorted(failures))
    return DatedFiles(tuple(files.paths[position] for position in kept), times, (*files.findings, *findings))
