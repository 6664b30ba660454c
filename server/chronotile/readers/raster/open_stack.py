"""Raster files, one per date or one band per date, opened as a stack: which variables they hold, in which bands."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.collection import LEFT_OUT, Finding, SourceSpec, VariableSpec
from chronotile.core.model.time.instants import NO_TIME, TimeDomain
from chronotile.core.yaml_source import list_names
from chronotile.readers.files import DatedFiles, date_files, find_files
from chronotile.readers.hrefs import base_name
from chronotile.readers.name_parts import time_of_text
from chronotile.readers.raster.band_decoding import Band, BandRule
from chronotile.readers.raster.dated_bands import BandSeries
from chronotile.readers.raster.stack import RasterStack
from chronotile.readers.raster.survey import FileSurvey, Sample, survey
from chronotile.readers.raster.variable import Plane, StackVariable, stack_variable
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches

_SHOWN = 12
"""Variables or bands that a message lists."""

TIME_TAGS = ("time", "datetime", "date")
"""Metadata of a single file with its time."""


def open_raster_stack(spec: SourceSpec, caches: ReaderCaches | None = None) -> Reader:
    """Return a reader of the raster files that `spec` names.

    Raises:
        UnsupportedSource: They cannot be served; the message gives the reason.
    """
    variables: dict[str, StackVariable] = {}
    findings: list[Finding] = []
    looked: dict[str, FileSurvey] = {}
    for name, paths in sorted(find_files(spec).items(), key=lambda entry: entry[0] or ""):
        opened = _open_files(spec, name, paths)
        variables |= opened.variables
        findings += opened.findings
        looked |= opened.looked
    if not variables:
        raise UnsupportedSource(f"{base_name(spec.href)} matches no file that holds a variable")
    ordered = {name: variables[name] for name in (spec.variables or variables) if name in variables}
    return RasterStack(spec.collection, ordered, tuple(dict.fromkeys(findings)), looked, caches=caches)


def open_band_stack(
    spec: SourceSpec, path: str, series: Iterable[tuple[VariableSpec, BandSeries]], caches: ReaderCaches
) -> Reader:
    """Return a reader of bands of one file that are times of variables.

    Raises:
        UnsupportedSource: They cannot be served; the message gives the reason.
    """
    sample, files = survey(DatedFiles((path,), NO_TIME), spec)
    by_number = {band.number: band for band in sample.bands}
    rule = BandRule(number=None, count=len(sample.bands))
    variables: dict[str, StackVariable] = {}
    findings = list(files.findings)
    for variable, own in series:
        said = (
            variable
            if variable.units is not None
            else replace(variable, units=own.units, title=variable.title or own.title)
        )
        band = replace(by_number[own.bands[0]], title=own.title)
        planes = tuple(Plane(path, number) for number in own.bands)
        variables[variable.id], notes = stack_variable(
            said, band, sample=sample, planes=planes, times=own.times, rule=rule
        )
        findings += notes
    return RasterStack(spec.collection, variables, tuple(findings), sample.looked, caches=caches)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A set of files."""

    variables: Mapping[str, StackVariable]
    findings: tuple[Finding, ...]
    looked: Mapping[str, FileSurvey]
    """By path, of those that were looked at."""


def _open_files(spec: SourceSpec, name: str | None, paths: tuple[str, ...]) -> _Opened:
    """The variables of one set of files: of all, or of those whose href has `name` for `{variable}`."""
    if spec.times is not None and len(paths) != 1:
        raise UnsupportedSource(
            f"times: is for the bands of one file, and {len(paths)} files match; leave it out, and set "
            "time_pattern: if the times in the file names are not found automatically"
        )
    sample, files = survey(date_files(paths, spec), spec)
    if spec.times is not None:
        sole, told = _one_band_a_time(spec, name, files=files, sample=sample)
        return _Opened({sole.info.name: sole}, files.findings + told, sample.looked)
    times = files.times if len(files.times) else _time_in_tags(sample)
    variables: dict[str, StackVariable] = {}
    notes: dict[Finding, list[str]] = {}
    for variable, band in _select_bands(spec, name, sample.bands):
        planes = tuple(Plane(path, band.number) for path in files.paths)
        variables[variable.id], found = stack_variable(variable, band, sample=sample, planes=planes, times=times)
        for each in found:
            notes.setdefault(each, []).append(variable.id)
    return _Opened(variables, (*files.findings, *_with_variables(notes, len(variables))), sample.looked)


def _with_variables(notes: Mapping[Finding, Sequence[str]], count: int) -> Iterator[Finding]:
    """Yield what was found with each variable; where not all of them are left out of a file, with their names."""
    for each, names in notes.items():
        if each.is_left_out and len(names) < count:
            reason = each.message.removeprefix(LEFT_OUT)
            yield replace(each, message=f"{LEFT_OUT}{list_names(names, most=_SHOWN)} of it, as {reason}")
        else:
            yield each


def _one_band_a_time(
    spec: SourceSpec, name: str | None, *, files: DatedFiles, sample: Sample
) -> tuple[StackVariable, tuple[Finding, ...]]:
    times = spec.times or NO_TIME
    if len(sample.bands) != len(times):
        raise UnsupportedSource(f"times: names {len(times)} times for the {len(sample.bands)} bands of the file")
    band = replace(sample.bands[0], title=None)
    variables = [variable for variable, _band in _select_bands(spec, name, (band,))]
    if len(variables) != 1:
        raise UnsupportedSource("a file with one band per time holds one variable; name only one")
    planes = tuple(Plane(files.paths[0], each.number) for each in sample.bands)
    rule = BandRule(number=None, count=len(planes))
    return stack_variable(variables[0], band, sample=sample, planes=planes, times=times, rule=rule)


def _select_bands(spec: SourceSpec, name: str | None, bands: tuple[Band, ...]) -> list[tuple[VariableSpec, Band]]:
    """The variables that are to be read, each with its band."""
    if spec.variables:
        variables = [each for each in spec.variables.values() if name is None or (each.name or each.id) == name]
        return [(each, _band_of(each, bands, in_name=name is not None)) for each in variables]
    if name is not None:
        return [(VariableSpec(id=name), bands[0])]
    return [(VariableSpec(id=band.name), band) for band in bands if not band.is_alpha]


def _band_of(variable: VariableSpec, bands: tuple[Band, ...], *, in_name: bool) -> Band:
    """The band of a configured variable: by number, by name, or the only one."""
    if variable.band is not None:
        found = [band for band in bands if band.number == variable.band]
    else:
        found = [band for band in bands if band.name == (variable.name or variable.id)]
    if found:
        return found[0]
    if variable.band is None and (in_name or sum(not band.is_alpha for band in bands) == 1):
        return bands[0]
    names = ", ".join(f"{band.number} ({band.name})" for band in bands[:_SHOWN])
    raise UnsupportedSource(f"no band for {variable.id}; set band: to one of {names}")


def _time_in_tags(sample: Sample) -> TimeDomain:
    """The time in a single file's own metadata."""
    for tag in TIME_TAGS:
        span = time_of_text(sample.tags.get(tag, ""))
        if span is not None:
            return TimeDomain(np.array([span.start]), np.array([span.end]))
    return NO_TIME
