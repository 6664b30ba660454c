"""Sources of collections: configured specification, and content found when opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.expression import Expression
from chronotile.core.model.items import IndexSettings, Mosaic
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import StyleClass
from chronotile.core.model.time.domain import NO_TIME, TimeDomain


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
class DimensionStep:
    """One step of a dimension of an array, by the value of its coordinate or by its position."""

    dimension: str
    value: float | str | None = None
    index: int | None = None
    """Counted from 0; one of the two is given."""

    def __repr__(self) -> str:
        """Return the form of stored fingerprints of dates, which would all be outdated by another class name."""
        return f"Step(dimension={self.dimension!r}, value={self.value!r}, index={self.index!r})"


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
    select: tuple[DimensionStep, ...] = ()
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
