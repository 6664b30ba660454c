"""What is found in an archive: odd values, files that no collection reads."""

import math
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chronotile.archive.describe import counted
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
from chronotile.readers.files import NOT_UNICODE, find_skipped, find_unnamed
from chronotile.readers.hrefs import base_name
from chronotile.readers.kinds import kind_of_path, kind_of_spec

PLAIN_STYLES = (GREYS, "viridis")
"""Styles that do not imply a range of values."""

MOST_TOLD = 1e6
"""From that on, values of which all are one are hardly measured."""

EXACT = 2.0**53
"""Whole numbers up to which each is a float64."""

KELVINS = (180.0, 350.0)
"""Between these lie temperatures on the Earth, in kelvin."""

MOST_REFLECTANCE = 20_000.0
"""Reflectances times 10,000 of clouds and glint exceed 10,000."""

_LANDSAT = {
    "SR_B": "surface reflectances, set scale: 0.0000275 and offset: -0.2",
    "ST_B": "surface temperatures, set scale: 0.00341802, offset: 149.0 and units: K",
}
"""What bands of Landsat Collection 2 are, by the beginnings of their names; their files do not state it."""

_SPECTRAL = re.compile(
    r"(?<![a-z])(b\d{1,2}a?|red|green|blue|nir(08)?|rededge\d?|swir\d{0,2}|coastal|reflectance|toc|toa|boa)(?![a-z])",
    re.IGNORECASE,
)


def value_findings(info: VariableInfo, styles: Mapping[str, Style]) -> Iterator[Finding]:
    """Yield a note if the values seen in a sample are not of the kind that the variable's name and units say."""
    seen = info.observed_range
    message = None if seen is None or info.classes or info.is_categorical else _what_is_odd(info, seen, styles)
    if message is not None:
        yield Finding("note", info.name, message)
    if seen is not None and info.encoding.dtype in {"int64", "uint64"} and max(map(abs, seen)) > EXACT:
        message = f"numbers of {info.encoding.dtype} beyond 2^53 are served as float64: their last digits are rounded"
        yield Finding("note", info.name, message)


def _what_is_odd(info: VariableInfo, seen: tuple[float, float], styles: Mapping[str, Style]) -> str | None:
    encoding = info.encoding
    fill = None if encoding.dtype.startswith("u") else DEFAULT_FILLS.get(np.dtype(encoding.dtype).str[1:])
    stored = [(value - encoding.offset) / (encoding.scale or 1.0) for value in seen]
    if fill is not None and any(math.isclose(fill, number, rel_tol=1e-6) for number in stored):
        return f"it has {fill}, the default fill of NetCDF, as values; if they stand for no value, set nodata: {fill}"
    if widen_range(*seen) != seen and abs(seen[0]) > MOST_TOLD:
        return f"all values seen are about {seen[0]:g}; if that stands for no value, set nodata: in a configuration"
    values = f"values from {seen[0]:g} to {seen[1]:g}"
    landsat = _LANDSAT.get(info.name[:4])
    if landsat is not None and _is_plain_integer(info):
        return f"{values} are digital numbers without a scale; if they are Landsat Collection 2 {landsat}"
    style = default_style(replace(info, observed_range=None), styles, layer=info.name)
    if style.is_categorical:
        return None
    if is_temperature(info):
        if info.encoding.units == "1" and KELVINS[0] <= seen[0] <= seen[1] <= KELVINS[1]:
            return f"{values} look like kelvin, but the file has no units; set units: K, or offset: and units: degC"
        is_beyond = info.encoding.units == "1" and seen[0] > KELVINS[1]
    else:
        width = style.range[1] - style.range[0]
        is_far = seen[1] > style.range[1] + 2 * width or seen[0] < style.range[0] - 2 * width
        is_beyond = style.id not in PLAIN_STYLES and is_far
        is_beyond = is_beyond or (style_for_name(info.name, styles) is None and _is_reflectance(info, seen))
    return _unscaled(info, values) if is_beyond else None


def style_findings(info: VariableInfo, style: Style) -> Iterator[Finding]:
    """Yield a warning if all values seen in a sample lie beyond the range of the style that is configured."""
    seen = info.observed_range
    if seen is None or style.is_categorical or not (seen[0] > style.range[1] or seen[1] < style.range[0]):
        return
    units = "" if info.encoding.units == "1" else info.encoding.units
    values = f"values from {seen[0]:g} to {seen[1]:g} {units}".rstrip()
    message = (
        f"{values} are outside the range of its style {style.id}, {style.range[0]:g} to {style.range[1]:g}, so "
        "that all have one colour; set range: for the variable, or scale: and offset: if they are digital numbers"
    )
    yield Finding("warning", info.name, message)


def _is_reflectance(info: VariableInfo, seen: tuple[float, float]) -> bool:
    """Whether whole numbers without a scale are most likely reflectances times 10,000."""
    texts = " ".join(filter(None, (info.name, info.title, info.standard_name))).replace("_", " ")
    is_spectral = _SPECTRAL.search(texts) is not None
    is_many = 255 < seen[1] <= MOST_REFLECTANCE and seen[0] >= -2000
    return is_spectral and is_many and _is_plain_integer(info)


def _is_plain_integer(info: VariableInfo) -> bool:
    encoding = info.encoding
    return np.dtype(encoding.dtype).kind in "iu" and (encoding.scale, encoding.offset) == (1.0, 0.0)


def _unscaled(info: VariableInfo, values: str) -> str:
    """What to do about values that lack a scale: which, where the size shows it."""
    high = (info.observed_range or (0.0, 0.0))[1]
    what = "are digital numbers without a scale" if _is_plain_integer(info) else "look unscaled"
    if 255 < high <= MOST_REFLECTANCE and not is_temperature(info):
        return f"{values} {what}; if they are multiplied by 10,000, set scale: 0.0001"
    return f"{values} {what}; if so, set scale: and offset: in a configuration"


class _Subject(NamedTuple):
    collection: str
    """Nothing where it is none."""
    place: YamlLocation


def with_places(findings: Iterable[Finding], configuration: Configuration) -> tuple[Finding, ...]:
    """Return the findings with the collections they are about, and the file and line that request those."""
    subjects = dict(_subjects(configuration))
    return tuple(_placed(finding, subjects.get(finding.place.partition(": ")[0])) for finding in findings)


def _placed(finding: Finding, subject: _Subject | None) -> Finding:
    if subject is None:
        return finding
    # What was found in a folder is written in no line.
    written = str(subject.place) if subject.place.line else ""
    return replace(finding, collection=subject.collection, written=written)


def _subjects(configuration: Configuration) -> Iterator[tuple[str, _Subject]]:
    """Collections, layers and all else that findings are about, by how they name it."""
    root = configuration.root
    for name in configuration.places:
        yield f"places.{name}", _Subject("", root.child("places", name, "href").place)
    yield "service.viewer.default_layer", _Subject("", root.child("service", "viewer", "default_layer").place)
    for collection, section in configuration.collections.items():
        own = root.child("collections", collection)
        ids = {("variables", name): each.layer for name, each in section.variables.items()}
        ids |= {("composites", name): each.layer for name, each in section.composites.items()}
        for (kind, name), layer in ids.items():
            yield layer or default_id(collection, name), _Subject(collection, own.child(kind, name).place)
        yield collection, _Subject(collection, own.child("source", "href").place)


_NAMED = 3
"""Files that are named; of more only the number is given."""


def files_passed_over(specs: Mapping[str, SourceSpec]) -> Iterator[Finding]:
    """Yield what lies beside the files of a configuration and is read by none of its collections."""
    of_files = {name: spec for name, spec in specs.items() if kind_of_spec(spec).options.is_of_files}
    files = {name: _files(spec) for name, spec in of_files.items()}
    taken = {path for paths in files.values() for path in paths}
    seen: set[Path] = set()
    for name, paths in files.items():
        folders = {Path(folder) for folder in {os.path.dirname(path) for path in paths} if "://" not in folder} - seen  # noqa: PTH120 -- of each of very many files
        seen |= folders
        others = [each for folder in sorted(folders) for each in _data_in(folder, taken)]
        if others:
            names = list_names([each.name for each in others], most=_NAMED)
            message = (
                f"{counted(len(others), 'other file')} of data in the folder of its files, which no href of the "
                f"configuration matches: {names}; widen href, or make it a collection"
            )
            yield Finding("note", name, message)
        unnamed = find_unnamed(of_files[name])
        if unnamed:
            yield Finding("warning", name, f"left out: {counted(len(unnamed), 'file')} {NOT_UNICODE}")
        side = find_skipped(of_files[name])
        if side:
            names = list_names([base_name(each) for each in side], most=_NAMED)
            message = f"passed over: {names}: a format that accompanies rasters"
            yield Finding("note", name, message)


def _files(spec: SourceSpec) -> list[str]:
    """The files of a source, those of another machine too; none where it cannot be opened, which its reader reports."""
    try:
        return kind_of_spec(spec).files(spec)
    except (ChronotileError, OSError):
        return []


def _data_in(folder: Path, taken: Container[str]) -> list[Path]:
    """The files of data of a folder that are not taken; each of these costs a look at it, the names do not."""
    try:
        with os.scandir(folder) as entries:
            others = [each for each in entries if os.path.join(folder, each.name) not in taken]  # noqa: PTH118 -- as above
            # Hidden files are being written, mostly.
            kinds = {each: kind_of_path(folder / each.name) for each in others if not each.name.startswith(".")}
            known = (each for each, kind in kinds.items() if kind is not None and kind.options.is_of_files)
            found = [each for each in known if is_unicode(each.name)]
            return sorted(folder / each.name for each in found if each.is_file())
    except OSError:
        return []
