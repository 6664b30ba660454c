"""Collections, their layers, and the rules by which a layer answers a time; what is learnt of their sources."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from chronotile.core.model.access import EVERYONE, Rule
from chronotile.core.model.crs import Crs
from chronotile.core.model.expression import Expression
from chronotile.core.model.grid import BBox, NativeGrid
from chronotile.core.model.items import IndexSettings, Mosaic
from chronotile.core.model.raster import Encoding
from chronotile.core.model.style import Style, StyleClass
from chronotile.core.model.time.instants import NO_TIME, TimeDomain, TimeSpan
from chronotile.core.model.types import Instant
from chronotile.core.printable import printable

Severity = Literal["error", "warning", "note"]
LEFT_OUT = "left out: "
"""How the message of a finding begins where what it is about is not served."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `chronotile check`: what was found in which place, and the remedy."""

    severity: Severity
    place: str
    message: str
    collection: str = ""
    """Id of the collection it is about, where it is about one of the configuration."""
    path: str = ""
    """What was looked for, as a path or URL; for operators alone."""
    written: str = ""
    """File and line of the configuration that request it; for operators alone."""

    def __post_init__(self) -> None:
        for name in ("place", "message", "path"):  # which contain names of files and texts out of them
            object.__setattr__(self, name, printable(getattr(self, name)))

    @property
    def is_left_out(self) -> bool:
        """Whether what it is about is not served."""
        return self.message.startswith(LEFT_OUT)

    @property
    def text(self) -> str:
        """The finding in one line, without its severity; for operators alone."""
        path = f"; looked for {self.path}" if self.path else ""
        written = f" ({self.written})" if self.written else ""
        return f"{self.place}: {self.message}{path}{written}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableInfo:
    """One variable of a source: its meaning, its grid with overviews, its times."""

    name: str
    encoding: Encoding
    levels: tuple[NativeGrid, ...]
    """Level 0 is the native grid, then overviews from fine to coarse."""
    made_levels: frozenset[int] = frozenset()
    """Levels that the source does not hold: to read them may be to read all native cells that they cover."""
    stated: Encoding | None = None
    """What the source itself states, if known; in `encoding`, keys of the configuration replace parts of it."""
    times: TimeDomain = NO_TIME
    title: str | None = None
    standard_name: str | None = None
    """As CF names the quantity."""
    is_categorical: bool = False
    is_mosaic: bool = False
    """Whether it is composed of pieces with grids of their own; `levels` are then those of a grid over all of them."""
    pieces_crs: tuple[Crs, ...] = ()
    """CRS of those pieces."""
    is_derived: bool = False
    """Whether it takes several variables of the source: a mask, or what a formula is over."""
    classes: tuple[StyleClass, ...] = ()
    """Colours and labels that the file itself carries (a palette, CF flags)."""
    part: "VariableSpec | None" = None
    """What of an array it is, where it is one step of further dimensions."""
    observed_range: tuple[float, float] | None = None
    """Physical values seen in a sample (2nd and 98th percentile), for a style where none is configured."""

    @property
    def grid(self) -> NativeGrid:
        """The native grid."""
        return self.levels[0]

    @property
    def has_means(self) -> bool:
        """Whether its numbers may be averaged: neither classes nor directions."""
        return not self.is_categorical and self.encoding.circle is None

    @property
    def own_crs(self) -> tuple[Crs, ...]:
        """The CRS in which there are cells of it: that of the native grid, then those of pieces."""
        return tuple(dict.fromkeys((self.grid.crs, *self.pieces_crs)))

    @property
    def stored_levels(self) -> Mapping[int, NativeGrid]:
        """The levels that the source holds, by their numbers."""
        return {number: grid for number, grid in enumerate(self.levels) if number not in self.made_levels}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What a source holds."""

    variables: Mapping[str, VariableInfo]
    """By the variable's id in the collection."""
    title: str | None = None
    attribution: str | None = None
    license: str | None = None
    findings: tuple[Finding, ...] = field(default=())
    is_of_files: bool = False
    """Whether its dates lie in files, which may be written over in place while they are read."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Which numbers of a quality variable leave a value standing."""

    variable: str
    keep: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a dimension of an array, by the value of its coordinate or by its position."""

    dimension: str
    value: float | str | None = None
    index: int | None = None
    """Counted from 0; one of the two is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableSpec:
    """What the configuration says of a variable; `None` leaves it to the file's own metadata."""

    id: str
    name: str | None = None
    """The array's name in the file, or what stands for `{variable}` in the href, if not the id."""
    asset: str | None = None
    """Of items: the key of the asset, if not the id."""
    band: int | None = None
    """Band of a raster file, counted from 1."""
    select: tuple[Step, ...] = ()
    """The steps of further dimensions of the array, such as depth."""
    title: str | None = None
    units: str | None = None
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    valid_range: tuple[float, float] | None = None
    dtype: str | None = None
    """numpy's name of the type the numbers are meant as, where the file declares another of the same size."""
    flags: tuple[tuple[int, str], ...] = ()
    formula: Expression | None = None
    """What it is computed from, where no file holds it; over ids of the same source."""
    mask: Mask | None = None
    circular: bool | float | None = None
    """Whether its values are directions or phases, or the length of a full turn."""
    has_classes: bool | None = None
    """Whether its numbers are classes, of which there is no mean: drawn by them, or a mask; `None` is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindOptions:
    """What the configuration may say of sources of one kind."""

    name: str
    """What the key `kind` says."""
    is_of_files: bool = False
    """Whether `href` may be a pattern of files, and `time_pattern` find the times in their names."""
    has_bands: bool = False
    """Whether variables are bands of files that GDAL reads, chosen by `band`; else arrays, chosen by `name`."""
    has_items: bool = False
    """Whether such a source is always one of items: overlapping scenes, which the item index lists."""
    may_have_items: bool = False
    """Whether `tiles: true` makes its files items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGrid:
    """The cells of coverages and cubes of a mosaic, from the origin of the CRS on."""

    crs: str
    resolution: float
    """Side of a cell, in units of the CRS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsSpec:
    """How the items of a source are found, and become one raster an instant."""

    settings: IndexSettings = field(default_factory=IndexSettings)
    mosaic: Mosaic = field(default_factory=Mosaic)
    grid: TargetGrid | None = None
    filter: str | None = None
    """CQL2 text: items that do not match are not indexed."""
    keep_days: float | None = None
    """Items that began longer ago are not indexed."""
    mode: Literal["index", "live"] = "index"
    """`live`: the index has the items that searches have found."""


DATA = "data"
"""Name of the asset of items that are one file each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """Which files make a source, and what they do not tell themselves."""

    collection: str
    """Id of the collection, for messages."""
    kind: str
    href: str
    """Absolute path or URL; of kind `cog` a glob that may hold `{variable}`."""
    crs: str | None = None
    time_pattern: str | None = None
    """Regular expression over the file's path with a group `time`."""
    times: TimeDomain | None = None
    """The times of the bands of a file, or of the time axis, in order."""
    variables: Mapping[str, VariableSpec] = field(default_factory=dict)
    """By id; empty means all that the source holds."""
    series: str | None = None
    """Absolute path of a serving cube with the series of these files."""
    files: tuple[str, ...] = ()
    """Absolute paths of raster files, in place of all that `href` matches."""
    left_out: frozenset[str] = frozenset()
    """Absolute paths that `href` matches, but that may not be opened."""
    items: ItemsSpec | None = None
    """Of a source of overlapping scenes or tiles, which the item index lists."""
    has_each_step: bool = False
    """Whether, where no variables are named, each of few steps of a further dimension is one."""
    looks_at_all: bool = False
    """Whether each raster file is opened at once, however many there are, to learn what it says of its numbers."""

    @property
    def is_live(self) -> bool:
        """Whether its items are found by the API of another catalogue, not by the index alone."""
        return self.items is not None and self.items.mode == "live"

    @property
    def stored(self) -> "SourceSpec":
        """What is to be read from files: all but the formulas."""
        stored = {name: variable for name, variable in self.variables.items() if variable.formula is None}
        return replace(self, variables=stored)


# Collections and their layers.

Match = Literal["exact", "nearest", "before"]
DefaultRule = Literal["latest", "earliest", "none"]
Resampling = Literal["nearest", "bilinear"]

LocalisedText = dict[str, str]
"""A text by language tag; the key `""` is the text for any language."""


class Clock(Protocol):
    """Returns the current time."""

    def __call__(self) -> Instant:
        """Return now as `datetime64[ns]`, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRules:
    """How a layer answers a time it does not have, and which time it shows by default."""

    default: DefaultRule | TimeSpan = "latest"
    """Of a span the newest time within."""
    min_valid: float | None = None
    """With `latest`: the least share of valid pixels of the time shown."""
    match: Match = "exact"
    tolerance: np.timedelta64 = np.timedelta64(0, "ns")
    is_always_exact: bool = False
    """Whether the configuration says `match: exact`, so that gaps between irregular times stay gaps on maps too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """Three variables as red, green and blue."""

    variables: tuple[VariableInfo, VariableInfo, VariableInfo]
    range: tuple[float, float]
    """Physical values shown black and white."""
    gamma: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataLink:
    """A metadata record elsewhere."""

    url: str
    format: str
    """Media type."""
    standard: str = "ISO19115:2003"
    """That the record keeps to, in WMS's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Another name that every protocol answers to."""

    name: str
    advertise: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """One variable or composite of one collection made drawable."""

    id: str
    collection: str
    """Id of the collection."""
    title: LocalisedText
    abstract: LocalisedText = field(default_factory=dict)
    content: VariableInfo | Composite
    times: TimeDomain
    """The times at which the layer can be drawn: of a composite, those that all three variables have."""
    styles: tuple[Style, ...]
    """The first is the default."""
    time_rules: TimeRules
    aliases: tuple[Alias, ...] = ()
    keywords: tuple[str, ...] = ()
    attribution: str | None = None
    license: str | None = None
    resampling: Resampling = "nearest"
    queryable: bool = True
    """Whether WMS and WMTS tell its values with GetFeatureInfo."""
    access: Rule = EVERYONE
    mask: Mask | None = None
    """Of a layer that is not listed: which of its pixels are clear (`Collection.clear`)."""

    @property
    def is_composite(self) -> bool:
        """Whether the layer is drawn from several variables and has no values of its own."""
        return isinstance(self.content, Composite)

    @property
    def variables(self) -> tuple[VariableInfo, ...]:
        """The variables read to draw the layer: one, or the three of a composite."""
        return self.content.variables if isinstance(self.content, Composite) else (self.content,)

    @property
    def main_variable(self) -> VariableInfo:
        """The variable whose grid and units stand for the layer."""
        return self.variables[0]

    @property
    def own_crs(self) -> tuple[Crs, ...]:
        """The CRS in which it has cells."""
        return self.main_variable.own_crs


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedExtent:
    """How far a collection reaches, as another catalogue says."""

    bbox: BBox
    """In CRS84; west > east where it crosses the antimeridian."""
    first: Instant | None
    """`None`: it has no beginning that is known."""
    last: Instant | None
    """`None`: it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Collection:
    """One published product as a whole."""

    id: str
    title: LocalisedText
    abstract: LocalisedText = field(default_factory=dict)
    attribution: str | None = None
    license: str | None = None
    keywords: tuple[str, ...] = ()
    metadata: tuple[MetadataLink, ...] = ()
    layers: tuple[Layer, ...]
    bbox: BBox
    """In CRS84, all layers together."""
    stated: StatedExtent | None = None
    """Of items that are in the catalogue of others; layers have those of them that were found."""
    access: Rule = EVERYONE
    clear: Mask | None = None
    """Which pixels of its variables are clear, where one has such classes and none is masked by the configuration."""
    is_partial: bool = False
    """Whether some of its layers are not for the client, who then gets no items either: they name all variables."""

    @property
    def variables(self) -> dict[str, VariableInfo]:
        """Its variables that are layers, by name; composites add none."""
        return {each.main_variable.name: each.main_variable for each in self.layers if not each.is_composite}


# Licences as documents state them: by an SPDX identifier, by an address, or in words.

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}", re.ASCII)
_NO_SPDX = {"other", "proprietary", "various", "unknown", "none"}
_PAGE = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """A licence; all are `None` where none is known."""

    spdx: str | None = None
    """What has the form of an SPDX identifier, which STAC 1.1 (`^[\\w\\-\\.\\+]+$`) and Records take as it is."""
    page: str | None = None
    """Its address."""
    words: str | None = None
    """Anything else: `CC BY 4.0`, `MIT OR Apache-2.0`, `Free for all`."""

    @property
    def stac(self) -> str:
        """What STAC 1.1 has as `license`."""
        return self.spdx or "other"


def licence_of(text: str | None) -> Licence:
    """Return the licence that a text states."""
    stated = (text or "").strip()
    if not stated:
        return Licence()
    if _PAGE.fullmatch(stated):
        return Licence(page=stated)
    if _SPDX.fullmatch(stated) and stated.lower() not in _NO_SPDX:
        return Licence(spdx=stated)
    return Licence(words=stated)


def with_licence(description: str, licence: Licence) -> str:
    """Return a description in CommonMark that ends with a licence in words, for which STAC has no member."""
    return description if licence.words is None else f"{description}\n\nLicence: {licence.words}"


def rights_of(licence: Licence, attribution: str | None) -> dict[str, str]:
    """Return `license` and `rights` of a record (OGC 20-004r1 §7): words are rights, an address has a link.

    Args:
        licence: Under which it may be used.
        attribution: Who has to be named.
    """
    words = [each for each in (attribution, licence.words) if each]
    known = {} if licence.spdx is None and licence.page is None else {"license": licence.stac}
    return {**known, **({"rights": "; ".join(words)} if words else {})}
