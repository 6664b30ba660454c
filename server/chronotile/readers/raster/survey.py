"""Survey of the files of a stack: their common structure, and the files that differ."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import numpy as np
from rasterio.enums import Interleaving
from rasterio.errors import RasterioError

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import StyleClass
from chronotile.core.web.inner_hosts import host_of
from chronotile.core.yaml_source import list_names
from chronotile.readers.dated_files import APART, DatedFiles
from chronotile.readers.file_states import FileState
from chronotile.readers.hrefs import base_name, names_among
from chronotile.readers.joined.join import most_common
from chronotile.readers.library_errors import one_line, opening
from chronotile.readers.raster.band_rules import other_count
from chronotile.readers.raster.bands import Band, FileBands, bands_of, palettes_of
from chronotile.readers.raster.handle import NATIVE_LEVEL, FileLayout, RasterHandle
from chronotile.readers.raster.overview_facts import REMEDY, OverviewFacts, overview_fault
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.reader import BlockShape

MAX_FILES = 500
"""Files that are inspected when a stack is opened (about 1 ms each), spread over all files."""


MAX_NAMED = 12
"""Overviews that a finding lists."""

MAX_SAMPLES = 3
"""Files whose overviews are read when a stack is opened; the file with the fewest findings gives the levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSurvey:
    """The structure of one file."""

    state: FileState | None
    """Fingerprint when it was inspected."""
    layout: FileLayout
    bands: FileBands
    block: BlockShape
    """Shape of its blocks; with all bands if they are interleaved by pixel."""
    palettes: tuple[tuple[StyleClass, ...], ...] | None
    """Classes of each band; `None` if no band has a palette."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSample:
    """Structure of a typical file of a stack, and the surveys of all inspected files."""

    layouts: Mapping[int, FileLayout]
    """Layouts by stored level, without overviews that contradict the native level."""
    levels: Mapping[int, NativeGrid]
    overviews: Mapping[int, OverviewFacts]
    findings: tuple[Finding, ...]
    """Skipped overviews."""
    bands: tuple[Band, ...]
    tags: Mapping[str, str]
    """Metadata of the file; keys in lower case."""
    surveys: Mapping[str, FileSurvey]
    """Surveys of the inspected files that fit the layout, by path."""


def survey(files: DatedFiles, spec: SourceSpec) -> tuple[StackSample, DatedFiles]:
    """Return the structure that most files have, and the files that have it; the others become findings.

    Raises:
        UnsupportedSource: No file can be opened, or the common structure is unsupported.
    """
    if len(files.paths) == 1:
        sample = _sample(files.paths[0], spec)
        return sample, replace(files, findings=(*files.findings, *sample.findings))
    surveys, failures = _survey_files(files, spec, len(files.paths) if spec.looks_at_all else MAX_FILES)
    if not surveys:
        raise UnsupportedSource(
            f"none of {len(files.paths)} files can be served; {next(iter(failures.values())).message}"
        )
    common = most_common((o.layout for o in surveys.values()), FileLayout.matches)
    names = names_among(files.paths)
    for position, file_survey in surveys.items():
        if not file_survey.layout.matches(common):
            failures[position] = Finding(
                "warning", names[position], f"{LEFT_OUT}{_difference(file_survey.layout, common)}"
            )
    fitting = {position: o for position, o in surveys.items() if position not in failures}
    usual = Counter(f.bands for f in fitting.values()).most_common(1)[0][0]
    if not any(band.title for band in usual.bands):  # without descriptions, bands are found by their number only
        for position, file_survey in list(fitting.items()):
            if len(file_survey.bands.bands) != len(usual.bands):
                reason = other_count(len(file_survey.bands.bands), len(usual.bands))
                failures[position] = Finding("warning", names[position], f"{LEFT_OUT}{reason}")
                del fitting[position]
    overviews = {position: f.layout.overviews for position, f in fitting.items()}
    alike = [position for position, f in fitting.items() if f.bands == usual]
    factors = _usual_overviews([overviews[position] for position in alike])
    like = [position for position in alike if overviews[position][: len(factors)] == factors]
    fitting_surveys = {files.paths[position]: f for position, f in fitting.items()}
    samples = [
        _sample(files.paths[position], spec, overviews=len(factors), surveys=fitting_surveys)
        for position in like[:MAX_SAMPLES]
    ]
    sample = min(samples, key=lambda s: len(s.findings))
    readable = drop_failures(files, failures)
    notes = (*_overview_notes(files, overviews, factors), *sample.findings)
    return sample, replace(readable, findings=(*readable.findings, *notes))


def _survey_files(files: DatedFiles, spec: SourceSpec, most: int) -> tuple[dict[int, FileSurvey], dict[int, Finding]]:
    """Return surveys by position, and findings for files that cannot be opened or whose CRS is unsupported."""
    pool = HandlePool(max_idle=0)
    surveys: dict[int, FileSurvey] = {}
    failures: dict[int, Finding] = {}
    names = names_among(files.paths)
    count = len(files.paths)
    for position in sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))}):
        try:
            with opening("it"), pool.lend(files.paths[position]) as handle:
                if handle.layout.crs:
                    handle.native_grid(spec.crs)
                surveys[position] = _survey_file(handle)
        except UnsupportedSource as error:
            failures[position] = Finding("error", names[position], f"{LEFT_OUT}{error.message}")
    return surveys, failures


def _survey_file(handle: RasterHandle) -> FileSurvey:
    assert handle.bands is not None  # noqa: S101 -- opened at the native level
    height, width = handle.dataset.block_shapes[0]
    is_by_pixel = handle.dataset.interleaving == Interleaving.pixel
    return FileSurvey(
        state=handle.state,
        layout=handle.layout,
        bands=handle.bands,
        block=BlockShape(handle.dataset.count if is_by_pixel else 1, height, width),
        palettes=palettes_of(handle.dataset) if handle.bands.has_palette else None,
    )


def _difference(layout: FileLayout, common: FileLayout) -> str:
    """Return how a layout differs from that of most files, and the remedy."""
    if not layout.crs and common.crs:
        name = _crs_name(common.crs)
        return f"it names no CRS, most files {name}; if that is its CRS, write it (gdal_edit -a_srs)"
    if layout.crs != common.crs:
        difference = f"its CRS is {_crs_name(layout.crs)}, that of most files {_crs_name(common.crs)}"
    elif _steps(layout) != _steps(common):
        difference = f"its pixels are {_steps(layout)}, those of most files {_steps(common)}"
    elif layout.transform.e * common.transform.e < 0:
        difference = "its rows run the other way than those of most files"
    elif not layout._replace(width=common.width, height=common.height).matches(common):
        difference = f"its corner is at {_corner(layout)}, that of most files at {_corner(common)}"
    else:
        difference = f"it is {layout.width} x {layout.height} pixels, most files {common.width} x {common.height}"
    return f"{difference}; bring it to that grid (gdalwarp -t_srs -te -ts), or {APART}"


def _crs_name(crs: Any) -> str:  # noqa: ANN401 -- rasterio has no types
    if not crs:
        return "none"
    authority = crs.to_authority()
    return ":".join(authority) if authority else "one without code"


def _steps(layout: FileLayout) -> str:
    # Pixel sizes with enough digits to show a difference.
    return f"{abs(layout.transform.a):.6g} x {abs(layout.transform.e):.6g}"


def _corner(layout: FileLayout) -> str:
    return f"({layout.transform.c:.10g}, {layout.transform.f:.10g})"


def _usual_overviews(overviews: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    # The overviews of more than half of the files, or else the finest overviews common to all files.
    usual, count = Counter(overviews).most_common(1)[0]
    shared = takewhile(lambda factors: len(set(factors)) == 1, zip(*overviews, strict=False))
    return usual if 2 * count > len(overviews) else tuple(factors[0] for factors in shared)


def _overview_notes(
    files: DatedFiles, overviews: Mapping[int, tuple[int, ...]], usual: tuple[int, ...]
) -> list[Finding]:
    names, most = names_among(files.paths), max(map(len, overviews.values()))
    lacking = [position for position, o in overviews.items() if o[: len(usual)] != usual]
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
    path: str, spec: SourceSpec, *, overviews: int | None = None, surveys: Mapping[str, FileSurvey] | None = None
) -> StackSample:
    pool = HandlePool(max_idle=0)
    with opening(base_name(path) or host_of(path)), pool.lend(path) as handle:
        dataset = handle.dataset
        bands = bands_of(dataset)
        assert handle.bands is not None  # noqa: S101 -- opened at the native level
        layouts, levels = {0: handle.layout}, {0: handle.native_grid(spec.crs)}
        facts: dict[int, OverviewFacts] = {}
        faults: dict[int, str] = {}
        for level in range(1, 1 + (len(handle.layout.overviews) if overviews is None else overviews)):
            try:
                with pool.lend(path, level + NATIVE_LEVEL) as overview:
                    assert overview.overview is not None  # noqa: S101 -- opened at an overview
                    fault = overview_fault(handle.bands, overview.overview)
                    if fault is None:
                        layouts[level], facts[level] = overview.layout, overview.overview
                        levels[level] = overview.native_grid(spec.crs)
            except (RasterioError, UnsupportedSource) as error:
                fault = f"it cannot be opened ({one_line(error)})"
            if fault is not None:
                faults[level] = fault
        tags = {str(key).lower(): str(value) for key, value in dataset.tags().items()}
        all_surveys = {path: _survey_file(handle)} if surveys is None else surveys
        return StackSample(
            layouts=layouts,
            levels=levels,
            overviews=facts,
            findings=tuple(skipped_overviews(base_name(path), faults)),
            bands=bands,
            tags=tags,
            surveys=all_surveys,
        )


def skipped_overviews(name: str, faults: Mapping[int, str]) -> Iterator[Finding]:
    """Yield a warning for each reason why overviews of a file are not read.

    Args:
        name: Name of the file.
        faults: Reason by level.
    """
    for reason in dict.fromkeys(faults.values()):
        levels = list_names([str(level) for level, f in faults.items() if f == reason], most=MAX_NAMED)
        message = f"overviews {levels} are skipped, and native cells are read instead: {reason}; {REMEDY}"
        yield Finding("warning", name, message)


def drop_failures(files: DatedFiles, failures: Mapping[int, Finding]) -> DatedFiles:
    """Return the files without failures, whose findings are added."""
    if not failures:
        return files
    readable = [position for position in range(len(files.paths)) if position not in failures]
    times = files.times.at(readable) if len(files.times) else files.times
    findings = (failures[position] for position in sorted(failures))
    return DatedFiles(tuple(files.paths[position] for position in readable), times, (*files.findings, *findings))
