"""Findings about odd values, and about files that no collection reads."""

import math
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chronotile.archive.describe import count_text
from chronotile.catalog.checks import default_id
from chronotile.catalog.default_styles import GREYS, default_style, is_temperature, style_for_name, widen_range
from chronotile.catalog.load import Configuration
from chronotile.core.errors import ChronotileError
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import DEFAULT_FILLS
from chronotile.core.model.source import SourceSpec, VariableInfo
from chronotile.core.model.style import Style
from chronotile.core.printable import is_unicode
from chronotile.core.yaml_source import YamlLocation, list_names
from chronotile.readers.dated_files import NOT_UNICODE, find_skipped, find_unnamed, zip_findings
from chronotile.readers.hrefs import base_name
from chronotile.readers.kinds import kind_of_path, kind_of_spec

PLAIN_STYLES = (GREYS, "viridis")
"""Styles that do not imply a range of values."""

MAX_CONSTANT = 1e6
"""If all values are equal and larger than this, they probably stand for no value."""

EXACT = 2.0**53
"""All whole numbers up to this are exact as float64."""

KELVINS = (180.0, 350.0)
"""Range of temperatures on earth in kelvin."""

MAX_REFLECTANCE = 20_000.0
"""Reflectances of clouds and glint, multiplied by 10,000, exceed 10,000."""

_LANDSAT = {
    "SR_B": "surface reflectances, set scale: 0.0000275 and offset: -0.2",
    "ST_B": "surface temperatures, set scale: 0.00341802, offset: 149.0 and units: K",
}
"""Meaning of bands of Landsat Collection 2, by the first letters of their names; the files do not state it."""

_SPECTRAL = re.compile(
    r"(?<![a-z])(b\d{1,2}a?|red|green|blue|nir(08)?|rededge\d?|swir\d{0,2}|coastal|reflectance|toc|toa|boa)(?![a-z])",
    re.IGNORECASE,
)


def value_findings(info: VariableInfo, styles: Mapping[str, Style]) -> Iterator[Finding]:
    """Yield notes if sampled values do not fit the name and units of the variable, or are rounded as float64."""
    observed = info.observed_range
    message = None if observed is None or info.classes or info.is_categorical else _what_is_odd(info, observed, styles)
    if message is not None:
        yield Finding("note", info.name, message)
    if observed is not None and info.encoding.dtype in {"int64", "uint64"} and max(map(abs, observed)) > EXACT:
        message = f"numbers of {info.encoding.dtype} beyond 2^53 are served as float64: their last digits are rounded"
        yield Finding("note", info.name, message)


def _what_is_odd(info: VariableInfo, observed: tuple[float, float], styles: Mapping[str, Style]) -> str | None:
    encoding = info.encoding
    fill = None if encoding.dtype.startswith("u") else DEFAULT_FILLS.get(np.dtype(encoding.dtype).str[1:])
    stored = [(value - encoding.offset) / (encoding.scale or 1.0) for value in observed]
    if fill is not None and any(math.isclose(fill, number, rel_tol=1e-6) for number in stored):
        return f"it has {fill}, the default fill of NetCDF, as values; if they stand for no value, set nodata: {fill}"
    if widen_range(*observed) != observed and abs(observed[0]) > MAX_CONSTANT:
        return f"all values seen are about {observed[0]:g}; if that stands for no value, set nodata: in a configuration"
    values = f"values from {observed[0]:g} to {observed[1]:g}"
    landsat = _LANDSAT.get(info.name[:4])
    if landsat is not None and _is_plain_integer(info):
        return f"{values} are digital numbers without a scale; if they are Landsat Collection 2 {landsat}"
    style = default_style(replace(info, observed_range=None), styles, layer=info.name)
    if style.is_categorical:
        return None
    if is_temperature(info):
        if info.encoding.units == "1" and KELVINS[0] <= observed[0] <= observed[1] <= KELVINS[1]:
            return f"{values} look like kelvin, but the file has no units; set units: K, or offset: and units: degC"
        is_beyond = info.encoding.units == "1" and observed[0] > KELVINS[1]
    else:
        width = style.range[1] - style.range[0]
        is_far = observed[1] > style.range[1] + 2 * width or observed[0] < style.range[0] - 2 * width
        is_beyond = style.id not in PLAIN_STYLES and is_far
        is_beyond = is_beyond or (style_for_name(info.name, styles) is None and _is_reflectance(info, observed))
    return _scale_remedy(info, values) if is_beyond else None


def style_findings(info: VariableInfo, style: Style) -> Iterator[Finding]:
    """Yield a warning if all sampled values lie outside the range of the configured style."""
    observed = info.observed_range
    if observed is None or style.is_categorical or not (observed[0] > style.range[1] or observed[1] < style.range[0]):
        return
    units = "" if info.encoding.units == "1" else info.encoding.units
    values = f"values from {observed[0]:g} to {observed[1]:g} {units}".rstrip()
    message = (
        f"{values} are outside the range of its style {style.id}, {style.range[0]:g} to {style.range[1]:g}, so "
        "that all have one colour; set range: for the variable, or scale: and offset: if they are digital numbers"
    )
    yield Finding("warning", info.name, message)


def _is_reflectance(info: VariableInfo, observed: tuple[float, float]) -> bool:
    """Return whether whole numbers without a scale are probably reflectances times 10,000."""
    texts = " ".join(filter(None, (info.name, info.title, info.standard_name))).replace("_", " ")
    is_spectral = _SPECTRAL.search(texts) is not None
    is_many = 255 < observed[1] <= MAX_REFLECTANCE and observed[0] >= -2000
    return is_spectral and is_many and _is_plain_integer(info)


def _is_plain_integer(info: VariableInfo) -> bool:
    encoding = info.encoding
    return np.dtype(encoding.dtype).kind in "iu" and (encoding.scale, encoding.offset) == (1.0, 0.0)


def _scale_remedy(info: VariableInfo, values: str) -> str:
    """Return a message about values without a scale, with the probable scale if their size shows it."""
    high = (info.observed_range or (0.0, 0.0))[1]
    what = "are digital numbers without a scale" if _is_plain_integer(info) else "look unscaled"
    if 255 < high <= MAX_REFLECTANCE and not is_temperature(info):
        return f"{values} {what}; if they are multiplied by 10,000, set scale: 0.0001"
    return f"{values} {what}; if so, set scale: and offset: in a configuration"


def merge_findings(collection: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings of a collection; equal findings about several variables are one."""
    places: dict[Finding, list[str]] = {}
    for finding in findings:
        places.setdefault(replace(finding, place=collection), []).append(finding.place)
    for finding, names in places.items():
        yield replace(finding, place=f"{collection}: {list_names(names, most=6)}")


class _Subject(NamedTuple):
    collection: str
    """Empty for findings that concern no collection."""
    place: YamlLocation


def add_places(findings: Iterable[Finding], configuration: Configuration) -> tuple[Finding, ...]:
    """Return the findings with their collections, and with the lines of the configuration that define these."""
    subjects = dict(_subjects(configuration))
    return tuple(_add_place(finding, subjects.get(finding.place.partition(": ")[0])) for finding in findings)


def _add_place(finding: Finding, subject: _Subject | None) -> Finding:
    if subject is None:
        return finding
    # Collections found in a folder are in no file.
    written = str(subject.place) if subject.place.line else ""
    return replace(finding, collection=subject.collection, written=written)


def _subjects(configuration: Configuration) -> Iterator[tuple[str, _Subject]]:
    """Yield collections, layers, place sets and the default layer, by the names that findings use."""
    root = configuration.root
    for name in configuration.places:
        yield f"places.{name}", _Subject("", root.child("places", name, "href").place)
    yield "service.logo", _Subject("", root.child("service", "logo").place)
    yield "service.viewer.default_layer", _Subject("", root.child("service", "viewer", "default_layer").place)
    for collection, section in configuration.collections.items():
        node = root.child("collections", collection)
        ids = {("variables", name): variable.layer for name, variable in section.variables.items()}
        ids |= {("composites", name): composite.layer for name, composite in section.composites.items()}
        for (kind, name), layer in ids.items():
            yield layer or default_id(collection, name), _Subject(collection, node.child(kind, name).place)
        yield collection, _Subject(collection, node.child("source", "href").place)


_NAMED = 3
"""Number of files listed by name."""


def files_passed_over(specs: Mapping[str, SourceSpec]) -> Iterator[Finding]:
    """Yield findings about files next to those of a configuration that no collection reads."""
    of_files = {name: spec for name, spec in specs.items() if kind_of_spec(spec).options.is_of_files}
    files = {name: _files(spec) for name, spec in of_files.items()}
    read_paths = {path for paths in files.values() for path in paths}
    checked_folders: set[Path] = set()
    for name, paths in files.items():
        parents = {os.path.dirname(path) for path in paths}  # noqa: PTH120 -- for very many files
        folders = {Path(folder) for folder in parents if "://" not in folder} - checked_folders
        checked_folders |= folders
        unread_files = [d for folder in sorted(folders) for d in _data_in(folder, read_paths)]
        if unread_files:
            names = list_names([file.name for file in unread_files], most=_NAMED)
            message = (
                f"{count_text(len(unread_files), 'other file')} of data in the folder of its files, which no href of "
                f"the configuration matches: {names}; widen href, or make it a collection"
            )
            yield Finding("note", name, message)
        undecodable_files = find_unnamed(of_files[name])
        if undecodable_files:
            yield Finding("warning", name, f"left out: {count_text(len(undecodable_files), 'file')} {NOT_UNICODE}")
        yield from zip_findings(of_files[name])
        side_files = find_skipped(of_files[name])
        if side_files:
            names = list_names([base_name(f) for f in side_files], most=_NAMED)
            message = f"passed over: {names}: a format that accompanies rasters"
            yield Finding("note", name, message)


def _files(spec: SourceSpec) -> list[str]:
    """Return the files of a source, also remote ones; empty if it cannot be opened, which its reader reports."""
    try:
        return kind_of_spec(spec).files(spec)
    except (ChronotileError, OSError):
        return []


def _data_in(folder: Path, read_paths: Container[str]) -> list[Path]:
    """Return the data files of a folder without those of `read_paths`; the kind is decided by name."""
    try:
        with os.scandir(folder) as entries:
            unread_entries = [entry for entry in entries if os.path.join(folder, entry.name) not in read_paths]  # noqa: PTH118 -- for very many files
            # Hidden files are mostly files that are still being written.
            kinds = {e: kind_of_path(folder / e.name) for e in unread_entries if not e.name.startswith(".")}
            data_entries = (k for k, kind in kinds.items() if kind is not None and kind.options.is_of_files)
            readable_entries = [e for e in data_entries if is_unicode(e.name)]
            return sorted(folder / e.name for e in readable_entries if e.is_file())
    except OSError:
        return []
