"""One variable of a stack of raster files: its planes, and how those of each file are read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.collection import LEFT_OUT, Finding, VariableInfo, VariableSpec
from chronotile.core.model.grid import NativeGrid
from chronotile.core.model.raster import Encoding
from chronotile.core.model.time.instants import TimeDomain
from chronotile.readers.encoding import is_scaled
from chronotile.readers.hrefs import names_among
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.joined.encoding_findings import FileEncoding, encoding_findings
from chronotile.readers.overviews import means_fault
from chronotile.readers.raster.band_decoding import (
    Band,
    BandDecoding,
    BandDecodings,
    BandRule,
    FileBands,
    band_rule,
    encoding_in,
)
from chronotile.readers.raster.overviews.implied import Origin, with_made_levels
from chronotile.readers.raster.overviews.previews import LEAST_FACTOR, Preview
from chronotile.readers.raster.pool import Layout
from chronotile.readers.raster.survey import Sample, skipped_overviews

_REMEDY = "if a file is wrong, set scale:, offset: or nodata: for the variable, which replace those of all files"


@dataclass(frozen=True, slots=True)
class Plane:
    """Where the pixels of one time lie."""

    path: str
    band: int
    """That of most files; where bands are found by their descriptions, the file's may be another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackVariable:
    """One variable of a stack: a plane a time, all of one layout."""

    info: VariableInfo
    planes: tuple[Plane, ...]
    """One for each of `info.times`; a single one without time."""
    layouts: Mapping[int, Layout]
    """By the number of the level that is stored, as every file must have it."""
    origins: tuple[Origin, ...]
    """What each level is read from."""
    decodings: BandDecodings

    def preview(self, path: str, decoding: BandDecoding, origin: Origin) -> Preview:
        """Return which preview holds a level that is made of a file: its own numbers, which are recoded later."""
        factors = sorted(each.factor for each in self.origins if each.stored == origin.stored)
        return Preview(
            path=path,
            band=decoding.band,
            stored=origin.stored,
            layout=self.layouts[origin.stored],
            factors=tuple(factor for factor in factors if factor >= LEAST_FACTOR),
            counting=decoding.counting,
            has_mask=decoding.has_mask,
        )


Key = tuple[FileBands, int]
"""The bands of a file, and the number of the band that the time has in most files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What planes of one kind have for a variable."""

    band: Band
    encoding: Encoding


def stack_variable(
    variable: VariableSpec,
    band: Band,
    *,
    sample: Sample,
    planes: tuple[Plane, ...],
    times: TimeDomain,
    rule: BandRule | None = None,
) -> tuple[StackVariable, tuple[Finding, ...]]:
    """Return a variable, without the times whose files cannot be read as what they are, and what was found.

    Args:
        variable: What the configuration says of it.
        band: That of most files.
        sample: What was found by looking at some of the files.
        planes: One per time.
        times: Of the planes.
        rule: By what the band of each file is found; `None` to find that out.

    Raises:
        UnsupportedSource: Its numbers cannot be served.
    """
    keys = _keys(planes, sample)
    if rule is None:
        rule = band_rule(variable, band, bands=sample.bands, looked=[bands for bands, _number in keys.values()])
    band, usual = _usual(band, variable, rule, keys.values())
    is_categorical = bool(variable.has_classes) or (bool(band.classes) and not is_scaled(usual))
    are_classes = is_categorical and not is_scaled(usual)
    served, reasons = _kinds(Counter(keys.values()), variable, rule, are_classes=are_classes)
    encoding = common_encoding(kind.encoding for kind in served.values())
    readable = [position for position in range(len(planes)) if keys.get(position) not in reasons]
    faults = _overview_faults(sample, band, usual, is_categorical=is_categorical)
    levels = _levels(variable, sample, faults, encoding, is_categorical=is_categorical)
    info = VariableInfo(
        name=variable.id,
        encoding=encoding,
        levels=tuple(levels.values()),
        made_levels=frozenset(number for number, origin in enumerate(levels) if origin.factor > 1),
        times=times.at(readable) if 0 < len(times) != len(readable) else times,
        title=variable.title or band.title,
        is_categorical=is_categorical,
        classes=band.classes,
    )
    found = StackVariable(
        info=info,
        planes=tuple(planes[position] for position in readable),
        layouts=sample.layouts,
        origins=tuple(levels),
        decodings=BandDecodings(
            variable=variable, rule=rule, encoding=encoding, is_categorical=is_categorical, are_classes=are_classes
        ),
    )
    names = _places(planes)
    kind_of = {names[position]: served[key] for position, key in keys.items() if key in served}
    encodings = {name: FileEncoding(stated=kind.band.encoding, used=kind.encoding) for name, kind in kind_of.items()}
    left_out = [(names[position], reasons[key]) for position, key in keys.items() if key in reasons]
    return found, (
        *(Finding("warning", name, f"{LEFT_OUT}{reason}") for name, reason in left_out),
        *skipped_overviews(names[0], faults),
        *encoding_findings(variable.id, encodings, encoding, remedy=_REMEDY),
        *_moved(variable, band, rule.description, {name: kind.band for name, kind in kind_of.items()}),
        *(_other_colours(band, sample, planes, served) if is_categorical else ()),
    )


def _usual(band: Band, variable: VariableSpec, rule: BandRule, keys: Iterable[Key]) -> tuple[Band, Encoding]:
    """The band of most files and its encoding; if that cannot be served, of the first other file whose can.

    Raises:
        UnsupportedSource: None can.
    """
    try:
        return band, encoding_in(band, variable, are_classes=False)
    except UnsupportedSource:
        for bands, number in dict.fromkeys(keys):
            with suppress(UnsupportedSource):
                other = rule.band_in(bands, number)
                return other, encoding_in(other, variable, are_classes=False)
        raise


def _keys(planes: Sequence[Plane], sample: Sample) -> dict[int, Key]:
    """By position, of the planes whose files were looked at."""
    return {
        position: (sample.looked[plane.path].bands, plane.band)
        for position, plane in enumerate(planes)
        if plane.path in sample.looked
    }


def _kinds(
    counts: Mapping[Key, int], variable: VariableSpec, rule: BandRule, *, are_classes: bool
) -> tuple[dict[Key, _Kind], dict[Key, str]]:
    """What planes of each kind have, and why those of others cannot be read; one at least can."""
    kinds: dict[Key, _Kind] = {}
    reasons: dict[Key, str] = {}
    for key in counts:
        bands, number = key
        try:
            band = rule.band_in(bands, number)
            kinds[key] = _Kind(band=band, encoding=encoding_in(band, variable, are_classes=are_classes))
        except UnsupportedSource as error:
            reasons[key] = error.message
    reasons |= _of_other_units(kinds, counts)
    if len(reasons) == len(counts):
        raise UnsupportedSource(f"no file holds {variable.id}: {next(iter(reasons.values()))}")
    return {key: kind for key, kind in kinds.items() if key not in reasons}, reasons


def _of_other_units(kinds: Mapping[Key, _Kind], counts: Mapping[Key, int]) -> dict[Key, str]:
    """Why planes cannot be read whose units are not those of most."""
    units = Counter[str]()
    for key, kind in kinds.items():
        units[kind.encoding.units] += counts[key]
    usual = max(units, key=lambda each: units[each], default="1")
    return {
        key: f"its units are {kind.encoding.units}, those of most files {usual}; if they are the same, set units: "
        f"{usual} for the variable"
        for key, kind in kinds.items()
        if kind.encoding.units != usual
    }


def _overview_faults(sample: Sample, band: Band, encoding: Encoding, *, is_categorical: bool) -> Mapping[int, str]:
    """Why the numbers of overviews are no values of a variable, by the number of the level."""
    found = {
        number: means_fault(
            facts.resampling, facts.stated.nodata[band.number - 1], encoding, is_categorical=is_categorical
        )
        for number, facts in sample.overviews.items()
    }
    return {number: fault for number, fault in found.items() if fault is not None}


def _levels(
    variable: VariableSpec, sample: Sample, faults: Mapping[int, str], encoding: Encoding, *, is_categorical: bool
) -> Mapping[Origin, NativeGrid]:
    # Overviews of directions may be plain means, so their levels are made of native cells.
    stored = {
        number: grid
        for number, grid in sample.levels.items()
        if number not in faults and (number == 0 or encoding.circle is None)
    }
    # Whole numbers without attributes may be classes, whose means would be others.
    is_float = encoding.dtype.startswith("float")
    if is_categorical or variable.has_classes is not None or is_scaled(encoding) or is_float or encoding.circle:
        return with_made_levels(stored, encoding, is_categorical=is_categorical)
    return {Origin(number): grid for number, grid in stored.items()}


def _places(planes: Sequence[Plane]) -> list[str]:
    """What messages call each plane."""
    names = names_among([plane.path for plane in planes])
    is_one_file = len({plane.path for plane in planes}) == 1
    if not is_one_file or len(planes) == 1:
        return list(names)
    return [f"{name} band {plane.band}" for name, plane in zip(names, planes, strict=True)]


def _moved(variable: VariableSpec, band: Band, description: str | None, bands: Mapping[str, Band]) -> Iterator[Finding]:
    """That the band of a variable is another one in some files."""
    moved = {place: each for place, each in bands.items() if each.number != band.number}
    if not moved or description is None or len({each.number for each in bands.values()}) < 2:
        return
    place, own = next(iter(moved.items()))
    said = f"; set name: {description} instead of band: {variable.band}" if variable.band is not None else ""
    message = (
        f"{description} is its band {own.number}, in most files {band.number} ({len(moved)} of {len(bands)} "
        f"differ); bands are found by their descriptions{said}"
    )
    yield Finding("note" if variable.band is None else "warning", place, message)


def _other_colours(
    band: Band, sample: Sample, planes: Sequence[Plane], served: Mapping[Key, _Kind]
) -> Iterator[Finding]:
    """That some files have other colours than are shown."""
    names = _places(planes)
    odd = []
    for position, plane in enumerate(planes):
        looked = sample.looked.get(plane.path)
        kind = served.get((looked.bands, plane.band)) if looked else None
        own = looked.palettes[kind.band.number - 1] if looked and kind and looked.palettes else ()
        if looked and kind and own != band.classes:
            odd.append(names[position])
    if odd:
        message = (
            f"its colours are not those of most files, in which all are shown ({len(odd)} of {len(planes)} differ)"
        )
        yield Finding("note", odd[0], message)
