"""One variable of a stack of raster files: its planes, and how each file is decoded."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import VariableInfo, VariableSpec
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.readers.configured_encoding import is_scaled
from chronotile.readers.hrefs import names_among
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.joined.encoding_findings import FileEncoding, encoding_findings
from chronotile.readers.overview_summaries import means_fault
from chronotile.readers.raster.band_decoding import BandDecoding, BandDecodings, encoding_in
from chronotile.readers.raster.band_rules import BandRule, band_rule
from chronotile.readers.raster.bands import Band, FileBands
from chronotile.readers.raster.handle import FileLayout
from chronotile.readers.raster.overviews.implied import LevelOrigin, add_made_levels
from chronotile.readers.raster.overviews.previews import MIN_FACTOR, Preview
from chronotile.readers.raster.sentinel2 import is_in_product
from chronotile.readers.raster.survey import StackSample, skipped_overviews

_REMEDY = "if a file is wrong, set scale:, offset: or nodata: for the variable, which replace those of all files"


@dataclass(frozen=True, slots=True)
class StackPlane:
    """File and band with the pixels of one time."""

    path: str
    band: int
    """Number in most files; the file may have another number if bands are found by their descriptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackVariable:
    """One variable of a stack: one plane per time, with a common layout."""

    info: VariableInfo
    planes: tuple[StackPlane, ...]
    """One per time of `info.times`, or a single plane without time."""
    layouts: Mapping[int, FileLayout]
    """Layout that each file must have, by stored level."""
    origins: tuple[LevelOrigin, ...]
    """The stored level of each level."""
    decodings: BandDecodings

    def preview(self, path: str, decoding: BandDecoding, origin: LevelOrigin) -> Preview:
        """Return the preview that contains a made level of a file, in the encoding of the file."""
        factors = sorted(o.factor for o in self.origins if o.stored == origin.stored)
        return Preview(
            path=path,
            band=decoding.band,
            stored=origin.stored,
            layout=self.layouts[origin.stored],
            factors=tuple(factor for factor in factors if factor >= MIN_FACTOR),
            counting=decoding.counting,
            has_mask=decoding.has_mask,
        )


BandKey = tuple[FileBands, int]
"""The bands of a file, and the number of the band that most files have for the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ServedBand:
    """The band with the variable, in files with equal bands."""

    band: Band
    encoding: Encoding


def stack_variable(
    variable: VariableSpec,
    band: Band,
    *,
    sample: StackSample,
    planes: tuple[StackPlane, ...],
    times: TimeDomain,
    rule: BandRule | None = None,
) -> tuple[StackVariable, tuple[Finding, ...]]:
    """Return a variable without the times whose files cannot be decoded, and findings.

    Args:
        variable: From the configuration.
        band: The variable's band in most files.
        sample: Survey of the stack.
        planes: One per time.
        times: Of the planes.
        rule: Finds the band in each file; `None` to derive it.

    Raises:
        UnsupportedSource: Its numbers cannot be served.
    """
    keys = _keys(planes, sample)
    if rule is None:
        rule = band_rule(variable, band, bands=sample.bands, file_bands=[bands for bands, _number in keys.values()])
    band, usual = _usual_band(band, variable, rule, keys.values())
    is_categorical = bool(variable.has_classes) or (bool(band.classes) and not is_scaled(usual))
    are_classes = is_categorical and not is_scaled(usual)
    served, reasons = _served_bands(Counter(keys.values()), variable, rule, are_classes=are_classes)
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
    stack = StackVariable(
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
    skipped = [(names[position], reasons[key]) for position, key in keys.items() if key in reasons]
    return stack, (
        *(Finding("warning", name, f"{LEFT_OUT}{reason}") for name, reason in skipped),
        *skipped_overviews(names[0], faults),
        *encoding_findings(variable.id, encodings, encoding, remedy="" if is_in_product(planes[0].path) else _REMEDY),
        *_moved_band_findings(variable, band, rule.description, {name: kind.band for name, kind in kind_of.items()}),
        *(_colour_findings(band, sample, planes, served) if is_categorical else ()),
    )


def _usual_band(band: Band, variable: VariableSpec, rule: BandRule, keys: Iterable[BandKey]) -> tuple[Band, Encoding]:
    """Return band and encoding of most files, or of the first file whose encoding is supported.

    Raises:
        UnsupportedSource: The encoding of no file is supported.
    """
    try:
        return band, encoding_in(band, variable, are_classes=False)
    except UnsupportedSource:
        for bands, number in dict.fromkeys(keys):
            with suppress(UnsupportedSource):
                other = rule.band_in(bands, number)
                return other, encoding_in(other, variable, are_classes=False)
        raise


def _keys(planes: Sequence[StackPlane], sample: StackSample) -> dict[int, BandKey]:
    """Return the keys of the planes whose files were inspected, by position."""
    return {
        position: (sample.surveys[plane.path].bands, plane.band)
        for position, plane in enumerate(planes)
        if plane.path in sample.surveys
    }


def _served_bands(
    counts: Mapping[BandKey, int], variable: VariableSpec, rule: BandRule, *, are_classes: bool
) -> tuple[dict[BandKey, _ServedBand], dict[BandKey, str]]:
    """Return the band per key, and the reason for each key that cannot be decoded; at least one key can."""
    kinds: dict[BandKey, _ServedBand] = {}
    reasons: dict[BandKey, str] = {}
    for key in counts:
        bands, number = key
        try:
            band = rule.band_in(bands, number)
            kinds[key] = _ServedBand(band=band, encoding=encoding_in(band, variable, are_classes=are_classes))
        except UnsupportedSource as error:
            reasons[key] = error.message
    reasons |= _unit_faults(kinds, counts)
    if len(reasons) == len(counts):
        raise UnsupportedSource(f"no file holds {variable.id}: {next(iter(reasons.values()))}")
    return {key: kind for key, kind in kinds.items() if key not in reasons}, reasons


def _unit_faults(kinds: Mapping[BandKey, _ServedBand], counts: Mapping[BandKey, int]) -> dict[BandKey, str]:
    """Return a reason for each key whose units differ from those of most files."""
    units = Counter[str]()
    for key, kind in kinds.items():
        units[kind.encoding.units] += counts[key]
    usual = max(units, key=lambda u: units[u], default="1")
    return {
        key: f"its units are {kind.encoding.units}, those of most files {usual}; if they are the same, set units: "
        f"{usual} for the variable"
        for key, kind in kinds.items()
        if kind.encoding.units != usual
    }


def _overview_faults(sample: StackSample, band: Band, encoding: Encoding, *, is_categorical: bool) -> Mapping[int, str]:
    """Return why overviews do not contain values of a variable, by stored level."""
    faults = {
        number: means_fault(
            facts.resampling, facts.stated.nodata[band.number - 1], encoding, is_categorical=is_categorical
        )
        for number, facts in sample.overviews.items()
    }
    return {number: fault for number, fault in faults.items() if fault is not None}


def _levels(
    variable: VariableSpec, sample: StackSample, faults: Mapping[int, str], encoding: Encoding, *, is_categorical: bool
) -> Mapping[LevelOrigin, NativeGrid]:
    # Overviews of directions may contain plain means, so their levels are made from native cells.
    stored = {
        number: grid
        for number, grid in sample.levels.items()
        if number not in faults and (number == 0 or encoding.circle is None)
    }
    # Integers without attributes may be classes, whose means would be other classes.
    is_float = encoding.dtype.startswith("float")
    if is_categorical or variable.has_classes is not None or is_scaled(encoding) or is_float or encoding.circle:
        return add_made_levels(stored, encoding, is_categorical=is_categorical)
    return {LevelOrigin(number): grid for number, grid in stored.items()}


def _places(planes: Sequence[StackPlane]) -> list[str]:
    """Return the name of each plane in messages."""
    names = names_among([plane.path for plane in planes])
    is_one_file = len({plane.path for plane in planes}) == 1
    if not is_one_file or len(planes) == 1:
        return list(names)
    return [f"{name} band {plane.band}" for name, plane in zip(names, planes, strict=True)]


def _moved_band_findings(
    variable: VariableSpec, band: Band, description: str | None, bands: Mapping[str, Band]
) -> Iterator[Finding]:
    """Yield a finding if the band of a variable has another number in some files."""
    moved = {place: b for place, b in bands.items() if b.number != band.number}
    if not moved or description is None or len({b.number for b in bands.values()}) < 2:
        return
    place, other_band = next(iter(moved.items()))
    remedy = f"; set name: {description} instead of band: {variable.band}" if variable.band is not None else ""
    message = (
        f"{description} is its band {other_band.number}, in most files {band.number} ({len(moved)} of {len(bands)} "
        f"differ); bands are found by their descriptions{remedy}"
    )
    yield Finding("note" if variable.band is None else "warning", place, message)


def _colour_findings(
    band: Band, sample: StackSample, planes: Sequence[StackPlane], served: Mapping[BandKey, _ServedBand]
) -> Iterator[Finding]:
    """Yield a finding if some files have other colours than pictures show."""
    names = _places(planes)
    odd = []
    for position, plane in enumerate(planes):
        file_survey = sample.surveys.get(plane.path)
        kind = served.get((file_survey.bands, plane.band)) if file_survey else None
        classes = file_survey.palettes[kind.band.number - 1] if file_survey and kind and file_survey.palettes else ()
        if file_survey and kind and classes != band.classes:
            odd.append(names[position])
    if odd:
        message = (
            f"its colours are not those of most files, in which all are shown ({len(odd)} of {len(planes)} differ)"
        )
        yield Finding("note", odd[0], message)
