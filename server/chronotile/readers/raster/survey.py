"""What the files of a stack have in common, and which of them have not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import numpy as np
from rasterio.enums import Interleaving
from rasterio.errors import RasterioError

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.collection import LEFT_OUT, Finding, SourceSpec
from chronotile.core.model.grid import NativeGrid
from chronotile.core.model.style import StyleClass
from chronotile.core.web.inner_hosts import host_of
from chronotile.core.yaml_source import list_names
from chronotile.readers.files import APART, DatedFiles
from chronotile.readers.hrefs import FileState, base_name, names_among
from chronotile.readers.joined.join import most_common
from chronotile.readers.library_errors import one_line, opening
from chronotile.readers.raster.band_decoding import Band, FileBands, bands_of, other_count, palettes_of
from chronotile.readers.raster.overview_facts import REMEDY, OverviewFacts, overview_fault
from chronotile.readers.raster.pool import NATIVE_LEVEL, Handle, HandlePool, Layout
from chronotile.readers.reader import BlockShape

MAX_FILES = 500
"""Files looked at when a stack is opened (about 1 ms each); of more, this many spread over all."""


MAX_NAMED = 12
"""Overviews that a finding names."""

MAX_SAMPLES = 3
"""Files of a stack whose overviews are read when it is opened; the levels are those of the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSurvey:
    """The structure of one file."""

    state: FileState | None
    """When it was looked at."""
    layout: Layout
    bands: FileBands
    block: BlockShape
    """Of its bands; of bands stored by pixel, of all of them."""
    palettes: tuple[tuple[StyleClass, ...], ...] | None
    """The colours of each band; `None` where none has any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What most files of a stack have in common, from one of them, and what each file states of its bands."""

    layouts: Mapping[int, Layout]
    """By the number of the level that is stored; overviews that contradict the native level are missing."""
    levels: Mapping[int, NativeGrid]
    overviews: Mapping[int, OverviewFacts]
    findings: tuple[Finding, ...]
    """The overviews that are skipped."""
    bands: tuple[Band, ...]
    tags: Mapping[str, str]
    """Names in lower case."""
    looked: Mapping[str, FileSurvey]
    """By path, of the files that were looked at and fit the layout."""


def survey(files: DatedFiles, spec: SourceSpec) -> tuple[Sample, DatedFiles]:
    """Return what most files have in common, and the files without those that lie elsewhere, which become findings.

    Raises:
        UnsupportedSource: No file can be opened, or what they have in common cannot be served.
    """
    if len(files.paths) == 1:
        sample = _sample(files.paths[0], spec)
        return sample, replace(files, findings=(*files.findings, *sample.findings))
    looked, failures = _survey_files(files, spec, len(files.paths) if spec.looks_at_all else MAX_FILES)
    if not looked:
        raise UnsupportedSource(
            f"none of {len(files.paths)} files can be served; {next(iter(failures.values())).message}"
        )
    common = most_common((each.layout for each in looked.values()), Layout.matches)
    names = names_among(files.paths)
    for position, each in looked.items():
        if not each.layout.matches(common):
            failures[position] = Finding("warning", names[position], f"{LEFT_OUT}{_difference(each.layout, common)}")
    fitting = {position: each for position, each in looked.items() if position not in failures}
    usual = Counter(each.bands for each in fitting.values()).most_common(1)[0][0]
    if not any(band.title for band in usual.bands):  # where bands have names, these tell which is which
        for position, each in list(fitting.items()):
            if len(each.bands.bands) != len(usual.bands):
                reason = other_count(len(each.bands.bands), len(usual.bands))
                failures[position] = Finding("warning", names[position], f"{LEFT_OUT}{reason}")
                del fitting[position]
    overviews = {position: each.layout.overviews for position, each in fitting.items()}
    alike = [position for position, each in fitting.items() if each.bands == usual]
    factors = _usual_overviews([overviews[position] for position in alike])
    like = [position for position in alike if overviews[position][: len(factors)] == factors]
    known = {files.paths[position]: each for position, each in fitting.items()}
    samples = [
        _sample(files.paths[position], spec, overviews=len(factors), looked=known) for position in like[:MAX_SAMPLES]
    ]
    sample = min(samples, key=lambda each: len(each.findings))
    readable = without(files, failures)
    notes = (*_overview_notes(files, overviews, factors), *sample.findings)
    return sample, replace(readable, findings=(*readable.findings, *notes))


def _survey_files(files: DatedFiles, spec: SourceSpec, most: int) -> tuple[dict[int, FileSurvey], dict[int, Finding]]:
    """What the files looked at tell by position, and those that cannot be opened, or lie where nothing is served."""
    pool = HandlePool(max_idle=0)
    looked: dict[int, FileSurvey] = {}
    failures: dict[int, Finding] = {}
    names = names_among(files.paths)
    count = len(files.paths)
    for position in sorted({round(each) for each in np.linspace(0, count - 1, min(count, most))}):
        try:
            with opening("it"), pool.lend(files.paths[position]) as handle:
                if handle.layout.crs:
                    handle.native_grid(spec.crs)
                looked[position] = _survey_file(handle)
        except UnsupportedSource as error:
            failures[position] = Finding("error", names[position], f"{LEFT_OUT}{error.message}")
    return looked, failures


def _survey_file(handle: Handle) -> FileSurvey:
    assert handle.bands is not None  # noqa: S101 -- it is opened at its native level
    height, width = handle.dataset.block_shapes[0]
    is_by_pixel = handle.dataset.interleaving == Interleaving.pixel
    return FileSurvey(
        state=handle.state,
        layout=handle.layout,
        bands=handle.bands,
        block=BlockShape(handle.dataset.count if is_by_pixel else 1, height, width),
        palettes=palettes_of(handle.dataset) if handle.bands.has_palette else None,
    )


def _difference(own: Layout, common: Layout) -> str:
    """In what a layout differs from that of most files, and what can be done about it."""
    if not own.crs and common.crs:
        name = _crs_name(common.crs)
        return f"it names no CRS, most files {name}; if that is its CRS, write it (gdal_edit -a_srs)"
    if own.crs != common.crs:
        what = f"its CRS is {_crs_name(own.crs)}, that of most files {_crs_name(common.crs)}"
    elif _steps(own) != _steps(common):
        what = f"its pixels are {_steps(own)}, those of most files {_steps(common)}"
    elif own.transform.e * common.transform.e < 0:
        what = "its rows run the other way than those of most files"
    elif not own._replace(width=common.width, height=common.height).matches(common):
        what = f"its corner is at {_corner(own)}, that of most files at {_corner(common)}"
    else:
        what = f"it is {own.width} x {own.height} pixels, most files {common.width} x {common.height}"
    return f"{what}; bring it to that grid (gdalwarp -t_srs -te -ts), or {APART}"


def _crs_name(crs: Any) -> str:  # noqa: ANN401 -- rasterio has no types
    if not crs:
        return "none"
    authority = crs.to_authority()
    return ":".join(authority) if authority else "one without code"


def _steps(layout: Layout) -> str:
    # The size of the pixels, to the digits in which sizes differ that do not fit.
    return f"{abs(layout.transform.a):.6g} x {abs(layout.transform.e):.6g}"


def _corner(layout: Layout) -> str:
    return f"({layout.transform.c:.10g}, {layout.transform.f:.10g})"


def _usual_overviews(overviews: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    # The overviews that more than half of the files have; else those, from the finest on, that all have.
    usual, count = Counter(overviews).most_common(1)[0]
    shared = takewhile(lambda factors: len(set(factors)) == 1, zip(*overviews, strict=False))
    return usual if 2 * count > len(overviews) else tuple(factors[0] for factors in shared)


def _overview_notes(
    files: DatedFiles, overviews: Mapping[int, tuple[int, ...]], usual: tuple[int, ...]
) -> list[Finding]:
    names, most = names_among(files.paths), max(map(len, overviews.values()))
    lacking = [position for position, own in overviews.items() if own[: len(usual)] != usual]
    if lacking:
        note = (
            f"{len(lacking)} of {len(overviews)} files lack overviews that most have, this one first: maps of them are "
        )
        note += "read from native cells, which takes longer (gdaladdo makes overviews; or is the file truncated?)"
        return [Finding("warning", names[lacking[0]], note)]
    if most == len(usual):
        return []
    fewest = min(overviews, key=lambda position: len(overviews[position]))
    note = f"not all files have the same overviews: of {most}, {len(usual)} are used (gdaladdo makes them)"
    return [Finding("warning", names[fewest], note)]


def _sample(
    path: str, spec: SourceSpec, *, overviews: int | None = None, looked: Mapping[str, FileSurvey] | None = None
) -> Sample:
    pool = HandlePool(max_idle=0)
    with opening(base_name(path) or host_of(path)), pool.lend(path) as handle:
        dataset = handle.dataset
        bands = bands_of(dataset)
        assert handle.bands is not None  # noqa: S101 -- it is opened at its native level
        layouts, levels = {0: handle.layout}, {0: handle.native_grid(spec.crs)}
        facts: dict[int, OverviewFacts] = {}
        faults: dict[int, str] = {}
        for level in range(1, 1 + (len(handle.layout.overviews) if overviews is None else overviews)):
            try:
                with pool.lend(path, level + NATIVE_LEVEL) as overview:
                    assert overview.overview is not None  # noqa: S101 -- it is opened at an overview
                    fault = overview_fault(handle.bands, overview.overview)
                    if fault is None:
                        layouts[level], facts[level] = overview.layout, overview.overview
                        levels[level] = overview.native_grid(spec.crs)
            except (RasterioError, UnsupportedSource) as error:
                fault = f"it cannot be opened ({one_line(error)})"
            if fault is not None:
                faults[level] = fault
        tags = {str(key).lower(): str(value) for key, value in dataset.tags().items()}
        known = {path: _survey_file(handle)} if looked is None else looked
        return Sample(
            layouts=layouts,
            levels=levels,
            overviews=facts,
            findings=tuple(skipped_overviews(base_name(path), faults)),
            bands=bands,
            tags=tags,
            looked=known,
        )


def skipped_overviews(name: str, faults: Mapping[int, str]) -> Iterator[Finding]:
    """Yield a warning for each reason why overviews of a file are not read.

    Args:
        name: Of the file.
        faults: The reason by the number of the level.
    """
    for reason in dict.fromkeys(faults.values()):
        levels = list_names([str(level) for level, each in faults.items() if each == reason], most=MAX_NAMED)
        message = f"overviews {levels} are skipped, and native cells are read instead: {reason}; {REMEDY}"
        yield Finding("warning", name, message)


def without(files: DatedFiles, failures: Mapping[int, Finding]) -> DatedFiles:
    """The files but those at the positions of the findings."""
    if not failures:
        return files
    readable = [position for position in range(len(files.paths)) if position not in failures]
    times = files.times.at(readable) if len(files.times) else files.times
    findings = (failures[position] for position in sorted(failures))
    return DatedFiles(tuple(files.paths[position] for position in readable), times, (*files.findings, *findings))
