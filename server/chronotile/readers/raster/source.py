"""Opens raster files as one source: one file per date, or files whose bands are dates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.yaml_source import list_names
from chronotile.readers.dated_files import find_files, times_in_names
from chronotile.readers.dates import find_bare_year
from chronotile.readers.hrefs import base_name, names_among
from chronotile.readers.joined.join import Surveyed, join
from chronotile.readers.library_errors import opening
from chronotile.readers.raster.band_times import UNNAMED, BandSeries, BandTimes, band_times_of
from chronotile.readers.raster.bands import bands_of
from chronotile.readers.raster.handle import RasterHandle
from chronotile.readers.raster.message_choice import (
    MessageChoice,
    SeriesByName,
    choice_findings,
    choose_messages,
)
from chronotile.readers.raster.open_stack import open_band_stack, open_raster_stack
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches

_SHOWN = 12
"""Names or bands that a message lists."""

FilesByWord = Mapping[str | None, tuple[str, ...]]
"""Paths by the text that replaces `{variable}` in their names; `None` without it."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JoinedBands:
    """Bands of one file that are times of variables; a part of a joined source."""

    path: str
    series: tuple[tuple[VariableSpec, BandSeries], ...]
    spec: SourceSpec
    caches: ReaderCaches
    span: TimeSpan | None = None

    def open(self) -> Reader:
        """Return a reader of the bands."""
        return open_band_stack(self.spec, self.path, self.series, self.caches)


def open_rasters(spec: SourceSpec, caches: ReaderCaches | None = None) -> Reader:
    """Return a reader of the raster files that `spec` names, whose bands may be times.

    Raises:
        UnsupportedSource: They cannot be served; the message gives the reason.
    """
    caches = caches or ReaderCaches()
    files = find_files(spec)
    paths = [path for group in files.values() for path in group]
    if spec.times is not None:
        return _open_with_times(spec, files, caches) if len(paths) > 1 else open_raster_stack(spec, caches)
    if _names_bands(spec, paths):
        return open_raster_stack(spec, caches)
    return _open_dated_bands(spec, files, caches)


def _names_bands(spec: SourceSpec, paths: Sequence[str]) -> bool:
    """Return whether bands are variables: it is configured, or the bands of the first file state no times."""
    if any(v.band is not None for v in spec.variables.values()):
        return True
    _path, (dated, names) = next(_inspect_files(paths, [], _inspect_bands), ("", (BandTimes(), ())))
    if not dated.series:
        return True
    return any((v.name or v.id) in names for v in spec.variables.values())


def _inspect_bands(handle: RasterHandle) -> tuple[BandTimes, tuple[str, ...]]:
    # The times of the bands of a file, and their descriptions.
    return band_times_of(handle), tuple(filter(None, handle.dataset.descriptions))


def _inspect_files(
    paths: Sequence[str], findings: list[Finding], inspect: Callable[[RasterHandle], T]
) -> Iterator[tuple[str, T]]:
    """Yield each file that opens with the result of `inspect`; a finding is added for each other file."""
    pool = HandlePool(max_idle=0)
    for path, name in zip(paths, names_among(paths), strict=True):
        try:
            with opening("it"), pool.lend(path) as handle:
                result = inspect(handle)
        except UnsupportedSource as error:
            findings.append(Finding("error", name, f"{LEFT_OUT}{error.message}"))
        else:  # the `with` block reports errors below GDAL only when it ends
            yield path, result


@dataclass(frozen=True, slots=True)
class _InspectedFile:
    """A file whose bands may be times."""

    path: str
    name: str
    """Name in messages to the operator."""
    word: str | None
    """Text that replaces `{variable}` in its name."""
    dated: BandTimes


def _open_dated_bands(spec: SourceSpec, files: FilesByWord, caches: ReaderCaches) -> Reader:
    findings: list[Finding] = []
    surveyed: list[Surveyed] = []
    opened = list(_inspect_dated_files(files, findings))
    for word, group in groupby(opened, key=lambda file: file.word):
        dated = [file for file in group if file.dated.series]
        all_series = [s for file in dated for s in file.dated.series]
        choices = _choices(spec, word, all_series) if dated else []
        findings += choice_findings([choice for _variable, choice in choices], all_series)
        for file in dated:
            series = {s.name: s for s in file.dated.series}
            pairs = ((variable, choice.series_among(series)) for variable, choice in choices)
            selected = tuple((variable, bands) for variable, bands in pairs if bands is not None)
            if selected:
                surveyed += _survey_bands(JoinedBands(file.path, selected, spec, caches), file.name, findings)
    if not surveyed:
        raise UnsupportedSource(
            findings[0].message.removeprefix(LEFT_OUT) if findings else "its bands name no variable"
        )
    return join(spec.collection, surveyed, findings)


def _inspect_dated_files(files: FilesByWord, findings: list[Finding]) -> Iterator[_InspectedFile]:
    """Yield each file that opens, and add findings about skipped bands."""
    every = [path for paths in files.values() for path in paths]
    names = dict(zip(every, names_among(every), strict=True))
    for word, paths in sorted(files.items(), key=lambda entry: entry[0] or ""):
        for path, (dated, _descriptions) in _inspect_files(paths, findings, _inspect_bands):
            name = names[path]
            if dated.fault is not None:
                findings.append(Finding("error", name, f"{LEFT_OUT}{dated.fault}"))
            if dated.skipped:
                bands = list_names(dated.skipped, most=_SHOWN)
                findings.append(_skip_warning(name, f"{bands}: the other bands are dates"))
            if not dated.series:
                findings.append(_skip_warning(name, "its bands have no times, those of other files have"))
            yield _InspectedFile(path, name, word, dated)


def _skip_warning(name: str, reason: str) -> Finding:
    return Finding("warning", name, f"{LEFT_OUT}{reason}")


def _survey_bands(file: JoinedBands, name: str, findings: list[Finding]) -> Iterator[Surveyed]:
    """Yield the bands with the structure of their reader, if they are supported."""
    try:
        reader = file.open()
    except UnsupportedSource as error:
        findings.append(Finding("error", name, f"{LEFT_OUT}{error.message}"))
        return
    reader.close()
    yield Surveyed(file=file, name=name, info=reader.info)


def _choices(
    spec: SourceSpec, word: str | None, series: Sequence[BandSeries]
) -> list[tuple[VariableSpec, MessageChoice]]:
    """Return the variables of files with `word` in their names, and the bands that they read.

    Raises:
        UnsupportedSource: Bands of a configured variable are missing, or must be selected.
    """
    names = list(dict.fromkeys(s.name for s in series))
    names_by_text = {name or UNNAMED: name for name in names}
    variables = [v for v in spec.variables.values() if word is None or (v.name or v.id) == word]
    if word is not None:
        variables = variables or [VariableSpec(id=word)]
        spec_names = [(v, (v.select and series[0].ensemble) or names[0]) for v in variables]
    elif not variables:
        spec_names = [(VariableSpec(id=text), name) for text, name in names_by_text.items()]
    elif len(variables) == len(names) == 1:
        spec_names = [(variables[0], names[0])]
    else:
        spec_names = [(v, names_by_text.get(v.name or v.id, v.name or v.id)) for v in variables]
    grouped = SeriesByName(series)
    choices = [(v, choose_messages(name, v.select, grouped)) for v, name in spec_names]
    missing = [v.id for v, choice in choices if choice is None]
    if len(missing) == len(choices):
        there = list_names([name or f"{UNNAMED} (only dates)" for name in names], most=_SHOWN)
        raise UnsupportedSource(
            f"no bands for {list_names(missing, most=_SHOWN)}; there are {there}: set name: for the variable"
        )
    return [(v, choice) for v, choice in choices if choice is not None]


def _open_with_times(spec: SourceSpec, files: FilesByWord, caches: ReaderCaches) -> Reader:
    """Return a reader of files whose bands are, in order, the configured times."""
    assert spec.times is not None  # noqa: S101 -- checked by the caller
    findings: list[Finding] = []
    surveyed: list[Surveyed] = []
    for word, paths in sorted(files.items(), key=lambda entry: entry[0] or ""):
        names = dict(zip(paths, names_among(paths), strict=True))
        variables = [v for v in spec.variables.values() if word is None or (v.name or v.id) == word]
        variables = variables or [VariableSpec(id=word or "band1")]
        if len(variables) != 1:
            raise UnsupportedSource("files with one band per time hold one variable; name only one")
        counts = dict(_inspect_files(paths, findings, lambda handle: len(bands_of(handle.dataset))))
        for path, part in _parts(spec.times, counts, names, findings):
            bands = tuple(range(1, len(part) + 1))
            series = BandSeries(name=None, bands=bands, times=part)
            surveyed += _survey_bands(JoinedBands(path, ((variables[0], series),), spec, caches), names[path], findings)
    if not surveyed:
        raise UnsupportedSource(findings[0].message.removeprefix(LEFT_OUT))
    return join(spec.collection, surveyed, findings)


def _parts(
    times: TimeDomain, counts: Mapping[str, int], names: Mapping[str, str], findings: list[Finding]
) -> Iterator[tuple[str, TimeDomain]]:
    """Yield each file with its times: by the period in its name, or in the order of the files."""
    spans = _spans_of_names(list(counts))
    if spans is None:
        if sum(counts.values()) != len(times):
            raise UnsupportedSource(
                f"times: names {len(times)} times, {len(counts)} files have {sum(counts.values())} bands; with a year "
                "in each name (ndvi_2019.tif) each file has the times of its year"
            )
        start = 0
        for path, count in counts.items():
            yield path, times.at(range(start, start + count))
            start += count
        return
    covered = np.zeros(len(times), dtype=bool)
    for path, span in spans.items():
        inside = (times.starts >= span.start) & (times.starts < span.end)
        covered |= inside
        if inside.sum() == counts[path]:
            yield path, times.at(np.flatnonzero(inside))
            continue
        message = f"it has {counts[path]} bands, times: names {inside.sum()} times in the period of its name"
        findings.append(_skip_warning(names[path], message))
    if not covered.all():
        message = f"{(~covered).sum()} of {len(times)} times of times: are of a period that no file's name has"
        findings.append(Finding("warning", "times", message))


def _spans_of_names(paths: Sequence[str]) -> dict[str, TimeSpan] | None:
    """Return the period in each file name; `None` if a name has none, or two have the same."""
    spans = dict[str, TimeSpan]()
    for path, _text, span in times_in_names(paths, None):
        year = find_bare_year(base_name(path).rpartition(".")[0])
        if period := span or (year.span if year else None):
            spans[path] = period
    return spans if len(spans) == len(paths) == len(set(spans.values())) else None
