"""Opens raster files as a stack: selects the variables and the bands that contain them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.time.domain import NO_TIME, TimeDomain
from chronotile.core.yaml_source import list_names
from chronotile.readers.dated_files import DatedFiles, date_files, find_files
from chronotile.readers.hrefs import base_name
from chronotile.readers.name_parts import time_of_text
from chronotile.readers.raster.band_rules import BandRule
from chronotile.readers.raster.band_times import BandSeries
from chronotile.readers.raster.bands import Band
from chronotile.readers.raster.stack import RasterStack
from chronotile.readers.raster.survey import FileSurvey, StackSample, survey
from chronotile.readers.raster.variable import StackPlane, StackVariable, stack_variable
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches

_SHOWN = 12
"""Variables or bands that a message lists."""

TIME_TAGS = ("time", "datetime", "date")
"""Metadata keys of a single file that may contain its time."""


def open_raster_stack(spec: SourceSpec, caches: ReaderCaches | None = None) -> Reader:
    """Return a reader of the raster files that `spec` names.

    Raises:
        UnsupportedSource: They cannot be served; the message gives the reason.
    """
    if any(variable.select for variable in spec.variables.values()):
        raise UnsupportedSource("select belongs to arrays and to messages of GRIB files; choose a band")
    variables: dict[str, StackVariable] = {}
    findings: list[Finding] = []
    surveys: dict[str, FileSurvey] = {}
    failures: dict[str, UnsupportedSource] = {}
    for name, paths in sorted(find_files(spec).items(), key=lambda entry: entry[0] or ""):
        try:
            opened = _open_files(spec, name, paths)
        except UnsupportedSource as error:
            failures[name or ""] = error
            continue
        variables |= opened.variables
        findings += opened.findings
        surveys |= opened.surveys
    if not variables:
        for failure in failures.values():
            raise failure
        raise UnsupportedSource(f"{base_name(spec.href)} matches no file that holds a variable")
    findings += [Finding("error", name, f"{LEFT_OUT}{failure.message}") for name, failure in failures.items()]
    ordered = {name: variables[name] for name in (spec.variables or variables) if name in variables}
    return RasterStack(spec.collection, ordered, tuple(dict.fromkeys(findings)), surveys, caches=caches)


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
    for variable, band_series in series:
        described = (
            variable
            if variable.units is not None
            else replace(variable, units=band_series.units, title=variable.title or band_series.title)
        )
        band = replace(by_number[band_series.bands[0]], title=band_series.title)
        planes = tuple(StackPlane(path, number) for number in band_series.bands)
        variables[variable.id], notes = stack_variable(
            described, band, sample=sample, planes=planes, times=band_series.times, rule=rule
        )
        findings += notes
    return RasterStack(spec.collection, variables, tuple(findings), sample.surveys, caches=caches)


@dataclass(frozen=True, slots=True)
class _FileSet:
    """The variables of a set of files."""

    variables: Mapping[str, StackVariable]
    findings: tuple[Finding, ...]
    surveys: Mapping[str, FileSurvey]
    """Surveys of the inspected files, by path."""


def _open_files(spec: SourceSpec, name: str | None, paths: tuple[str, ...]) -> _FileSet:
    """Return the variables of a set of files; `name` replaces `{variable}` in their names, if that is configured."""
    if spec.times is not None and len(paths) != 1:
        raise UnsupportedSource(
            f"times: is for the bands of one file, and {len(paths)} files match; leave it out, and set "
            "time_pattern: if the times in the file names are not found automatically"
        )
    sample, files = survey(date_files(paths, spec), spec)
    if spec.times is not None:
        sole, notes_of_bands = _one_band_a_time(spec, name, files=files, sample=sample)
        return _FileSet({sole.info.name: sole}, files.findings + notes_of_bands, sample.surveys)
    times = files.times if len(files.times) else _time_in_tags(sample)
    variables: dict[str, StackVariable] = {}
    notes: dict[Finding, list[str]] = {}
    for variable, band in _select_bands(spec, name, sample.bands):
        planes = tuple(StackPlane(path, band.number) for path in files.paths)
        variables[variable.id], findings = stack_variable(variable, band, sample=sample, planes=planes, times=times)
        for finding in findings:
            notes.setdefault(finding, []).append(variable.id)
    return _FileSet(variables, (*files.findings, *_add_variable_names(notes, len(variables))), sample.surveys)


def _add_variable_names(notes: Mapping[Finding, Sequence[str]], count: int) -> Iterator[Finding]:
    """Yield the findings; if a file is skipped only for some variables, the finding lists them."""
    for note, names in notes.items():
        if note.is_left_out and len(names) < count:
            reason = note.message.removeprefix(LEFT_OUT)
            yield replace(note, message=f"{LEFT_OUT}{list_names(names, most=_SHOWN)} of it, as {reason}")
        else:
            yield note


def _one_band_a_time(
    spec: SourceSpec, name: str | None, *, files: DatedFiles, sample: StackSample
) -> tuple[StackVariable, tuple[Finding, ...]]:
    times = spec.times or NO_TIME
    if len(sample.bands) != len(times):
        raise UnsupportedSource(f"times: names {len(times)} times for the {len(sample.bands)} bands of the file")
    band = replace(sample.bands[0], title=None)
    variables = [variable for variable, _band in _select_bands(spec, name, (band,))]
    if len(variables) != 1:
        raise UnsupportedSource("a file with one band per time holds one variable; name only one")
    planes = tuple(StackPlane(files.paths[0], b.number) for b in sample.bands)
    rule = BandRule(number=None, count=len(planes))
    return stack_variable(variables[0], band, sample=sample, planes=planes, times=times, rule=rule)


def _select_bands(spec: SourceSpec, name: str | None, bands: tuple[Band, ...]) -> list[tuple[VariableSpec, Band]]:
    """Return the variables to read and their bands."""
    if spec.variables:
        variables = [v for v in spec.variables.values() if name is None or (v.name or v.id) == name]
        return [(v, _band_of(v, bands, in_name=name is not None)) for v in variables]
    if name is not None:
        return [(VariableSpec(id=name), bands[0])]
    return [(VariableSpec(id=band.name), band) for band in bands if not band.is_alpha]


def _band_of(variable: VariableSpec, bands: tuple[Band, ...], *, in_name: bool) -> Band:
    """Return the band of a configured variable: by number, by name, or the only one."""
    if variable.band is not None:
        matches = [band for band in bands if band.number == variable.band]
    else:
        matches = [band for band in bands if band.name == (variable.name or variable.id)]
    if matches:
        return matches[0]
    if variable.band is None and (in_name or sum(not band.is_alpha for band in bands) == 1):
        return bands[0]
    names = ", ".join(f"{band.number} ({band.name})" for band in bands[:_SHOWN])
    raise UnsupportedSource(f"no band for {variable.id}; set band: to one of {names}")


def _time_in_tags(sample: StackSample) -> TimeDomain:
    """Return the time in the metadata of a single file."""
    for tag in TIME_TAGS:
        span = time_of_text(sample.tags.get(tag, ""))
        if span is not None:
            return TimeDomain(np.array([span.start]), np.array([span.end]))
    return NO_TIME
