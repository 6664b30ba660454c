"""Raster files as one source: one per date, or with many dates each in their bands."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.collection import LEFT_OUT, Finding, SourceSpec, VariableSpec
from chronotile.core.model.time.instants import TimeDomain, TimeSpan
from chronotile.core.yaml_source import list_names
from chronotile.readers.dates import find_bare_year
from chronotile.readers.files import find_files, times_in_names
from chronotile.readers.hrefs import base_name, names_among
from chronotile.readers.joined.join import Surveyed, join
from chronotile.readers.library_errors import opening
from chronotile.readers.raster.band_decoding import bands_of
from chronotile.readers.raster.dated_bands import BandSeries, BandTimes, band_times_of
from chronotile.readers.raster.open_stack import open_band_stack, open_raster_stack
from chronotile.readers.raster.pool import Handle, HandlePool
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches

_SHOWN = 12
"""Names or bands that a message lists."""

Found = Mapping[str | None, tuple[str, ...]]
"""Files by what stands for `{variable}`."""
Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class JoinedBands:
    """Bands of one file that are times of variables."""

    path: str
    series: tuple[tuple[VariableSpec, BandSeries], ...]
    spec: SourceSpec
    caches: ReaderCaches
    span: TimeSpan | None = None

    def open(self) -> Reader:
        """Return a reader of those bands."""
        return open_band_stack(self.spec, self.path, self.series, self.caches)


def open_rasters(spec: SourceSpec, caches: ReaderCaches | None = None) -> Reader:
    """Return a reader of the raster files that `spec` names, whose bands may be times.

    Raises:
        UnsupportedSource: They cannot be served; the message gives the reason.
    """
    caches = caches or ReaderCaches()
    found = find_files(spec)
    paths = [path for group in found.values() for path in group]
    if spec.times is not None:
        return _open_with_times(spec, found, caches) if len(paths) > 1 else open_raster_stack(spec, caches)
    if _names_bands(spec, paths):
        return open_raster_stack(spec, caches)
    return _open_dated_bands(spec, found, caches)


def _names_bands(spec: SourceSpec, paths: Sequence[str]) -> bool:
    """Whether the bands are variables: the configuration states it, or those of the first file tell no times."""
    if any(each.band is not None for each in spec.variables.values()):
        return True
    _path, (dated, names) = next(_look(paths, [], _look_at_bands), ("", (BandTimes(), ())))
    if not dated.series:
        return True
    return any((each.name or each.id) in names for each in spec.variables.values())


def _look_at_bands(handle: Handle) -> tuple[BandTimes, tuple[str, ...]]:
    # The times of the bands of a file, and their descriptions.
    return band_times_of(handle), tuple(filter(None, handle.dataset.descriptions))


def _look(paths: Sequence[str], findings: list[Finding], look: Callable[[Handle], Seen]) -> Iterator[tuple[str, Seen]]:
    """Yield each file that opens with the result of `look`; others become findings."""
    pool = HandlePool(max_idle=0)
    for path, name in zip(paths, names_among(paths), strict=True):
        try:
            with opening("it"), pool.lend(path) as handle:
                result = look(handle)
        except UnsupportedSource as error:
            findings.append(Finding("error", name, f"{LEFT_OUT}{error.message}"))
        else:  # only now is it known that nothing went wrong below GDAL
            yield path, result


def _open_dated_bands(spec: SourceSpec, found: Found, caches: ReaderCaches) -> Reader:
    findings: list[Finding] = []
    surveyed: list[Surveyed] = []
    every = [path for paths in found.values() for path in paths]
    names = dict(zip(every, names_among(every), strict=True))
    for word, paths in sorted(found.items(), key=lambda entry: entry[0] or ""):
        for path, (dated, _descriptions) in _look(paths, findings, _look_at_bands):
            name = names[path]
            if dated.fault is not None:
                findings.append(Finding("error", name, f"{LEFT_OUT}{dated.fault}"))
            if dated.left_out:
                bands = list_names(dated.left_out, most=_SHOWN)
                findings.append(_left_out(name, f"{bands}: the other bands are dates"))
            if not dated.series:
                findings.append(_left_out(name, "its bands have no times, those of other files have"))
                continue
            selected, rest = _select_bands(spec, word, dated.series)
            if rest and not spec.variables:
                bands = list_names(rest, most=_SHOWN)
                findings.append(_left_out(name, f"bands of {bands}: name them as variables"))
            surveyed += _surveyed(JoinedBands(path, tuple(selected), spec, caches), name, findings)
    if not surveyed:
        raise UnsupportedSource(
            findings[0].message.removeprefix(LEFT_OUT) if findings else "its bands name no variable"
        )
    return join(spec.collection, surveyed, findings)


def _left_out(name: str, reason: str) -> Finding:
    return Finding("warning", name, f"{LEFT_OUT}{reason}")


def _surveyed(file: JoinedBands, name: str, findings: list[Finding]) -> Iterator[Surveyed]:
    """Yield what a file holds, if it can be served."""
    if not file.series:
        findings.append(_left_out(name, "none of its bands is of a variable that is named"))
        return
    try:
        reader = file.open()
    except UnsupportedSource as error:
        findings.append(Finding("error", name, f"{LEFT_OUT}{error.message}"))
        return
    reader.close()
    yield Surveyed(file=file, name=name, info=reader.info)


def _select_bands(
    spec: SourceSpec, word: str | None, series: Sequence[BandSeries]
) -> tuple[list[tuple[VariableSpec, BandSeries]], list[str]]:
    """The variables that are to be read, each with its bands; and the series that are left out."""
    named = {each.name: each for each in series if each.name is not None}
    if word is not None:
        variables = [each for each in spec.variables.values() if (each.name or each.id) == word]
        variables = variables or [VariableSpec(id=word)]
        selected = [(each, series[0]) for each in variables]
        return selected, [each.name or "further variables" for each in series[1:]]
    if not spec.variables:
        return [(VariableSpec(id=each.name or "band1"), each) for each in series], []
    variables = list(spec.variables.values())
    if len(variables) == 1 and len(series) == 1:
        return [(variables[0], series[0])], []
    selected = [(each, named[each.name or each.id]) for each in variables if (each.name or each.id) in named]
    missing = [each.id for each in variables if (each.name or each.id) not in named]
    if missing and not selected:
        there = list_names([each.name or "bands of dates" for each in series], most=_SHOWN)
        raise UnsupportedSource(
            f"no bands for {list_names(missing, most=_SHOWN)}; there are {there}: set name: for the variable"
        )
    taken = {each.name for _variable, each in selected}
    return selected, [each.name or "dates" for each in series if each.name not in taken]


def _open_with_times(spec: SourceSpec, found: Found, caches: ReaderCaches) -> Reader:
    """A reader of files whose bands are, one after another, the times of the configuration."""
    assert spec.times is not None  # noqa: S101 -- the caller's case
    findings: list[Finding] = []
    surveyed: list[Surveyed] = []
    for word, paths in sorted(found.items(), key=lambda entry: entry[0] or ""):
        names = dict(zip(paths, names_among(paths), strict=True))
        variables = [each for each in spec.variables.values() if word is None or (each.name or each.id) == word]
        variables = variables or [VariableSpec(id=word or "band1")]
        if len(variables) != 1:
            raise UnsupportedSource("files with one band per time hold one variable; name only one")
        counts = dict(_look(paths, findings, lambda handle: len(bands_of(handle.dataset))))
        for path, part in _parts(spec.times, counts, names, findings):
            bands = tuple(range(1, len(part) + 1))
            series = BandSeries(name=None, bands=bands, times=part)
            surveyed += _surveyed(JoinedBands(path, ((variables[0], series),), spec, caches), names[path], findings)
    if not surveyed:
        raise UnsupportedSource(findings[0].message.removeprefix(LEFT_OUT))
    return join(spec.collection, surveyed, findings)


def _parts(
    times: TimeDomain, counts: Mapping[str, int], names: Mapping[str, str], findings: list[Finding]
) -> Iterator[tuple[str, TimeDomain]]:
    """Yield each file with its times: those in the year or period of its name; of names without, in their order."""
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
        findings.append(_left_out(names[path], message))
    if not covered.all():
        message = f"{(~covered).sum()} of {len(times)} times of times: are of a period that no file's name has"
        findings.append(Finding("warning", "times", message))


def _spans_of_names(paths: Sequence[str]) -> dict[str, TimeSpan] | None:
    """The period in each file's name; nothing where some have none, or two have the same."""
    known = dict[str, TimeSpan]()
    for path, _text, span in times_in_names(paths, None):
        year = find_bare_year(base_name(path).rpartition(".")[0])
        if found := span or (year.span if year else None):
            known[path] = found
    return known if len(known) == len(paths) == len(set(known.values())) else None
