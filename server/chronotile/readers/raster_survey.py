"""What the files of a stack have in common, and which of them have not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.errors import UnsupportedSource
from chronotile.model.grid import NativeGrid
from chronotile.model.source import Finding, SourceSpec
from chronotile.model.time import TimeDomain
from chronotile.readers.foreign import opening
from chronotile.readers.hrefs import base_name
from chronotile.readers.raster_bands import Band, bands_of, native_grid
from chronotile.readers.raster_files import DatedFiles
from chronotile.readers.raster_pool import HandlePool, Layout

MAX_FILES = 500
"""Files looked at when a stack is opened (about 1 ms each); of more, this many spread over all."""


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
    for position, layout in layouts.items():
        if not layout.matches(common):
            reason = "left out: another grid or type than most files have"
            failures[position] = Finding("warning", base_name(files.paths[position]), reason)
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
    count = len(files.paths)
    for position in sorted({round(each) for each in np.linspace(0, count - 1, min(count, MAX_FILES))}):
        path = files.paths[position]
        try:
            with opening("it"), pool.lend(path) as handle:
                layouts[position] = handle.layout
        except UnsupportedSource as error:
            failures[position] = Finding("error", base_name(path), f"left out: {error.message}")
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
    return [Finding("warning", base_name(files.paths[fewest]), note)]


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
