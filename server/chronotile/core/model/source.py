"""Sources of collections: their configuration, and their content once opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.expression import Expression
from chronotile.core.model.items import IndexSettings, Mosaic
from chronotile.core.model.quality import AbsentFlags, NamedFlag, ValueBounds
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
    """Levels that the source does not store; reading them may read all native cells that they cover."""
    stated: Encoding | None = None
    """Encoding stated by the source, if any; keys of the configuration replace parts of it in `encoding`."""
    times: TimeDomain = NO_TIME
    title: str | None = None
    standard_name: str | None = None
    """CF standard name of the quantity."""
    is_categorical: bool = False
    is_mosaic: bool = False
    """Whether it is composed of pieces with separate grids; `levels` then belong to a grid over all pieces."""
    pieces_crs: tuple[Crs, ...] = ()
    """CRSs of the pieces."""
    is_derived: bool = False
    """Whether it is computed from several variables of the source, by a mask or a formula."""
    classes: tuple[StyleClass, ...] = ()
    """Colours and labels from the file (a palette, CF flags)."""
    bit_flags: tuple[NamedFlag, ...] = ()
    """Flags that the file states in bits of its numbers."""
    part: "VariableSpec | None" = None
    """Selected steps, if it is a part of an array with additional dimensions."""
    observed_range: tuple[float, float] | None = None
    """Physical values in a sample (2nd and 98th percentile), used by the style if none is configured."""

    @property
    def grid(self) -> NativeGrid:
        """The native grid."""
        return self.levels[0]

    @property
    def has_means(self) -> bool:
        """Whether its numbers may be averaged, unlike numbers of classes and directions."""
        return not self.is_categorical and self.encoding.circle is None

    @property
    def all_native_crs(self) -> tuple[Crs, ...]:
        """CRSs of its cells: the native grid first, then the pieces."""
        return tuple(dict.fromkeys((self.grid.crs, *self.pieces_crs)))

    @property
    def named_flags(self) -> tuple[NamedFlag, ...]:
        """Flags in bits of its numbers, classes, and numbers that stand for a missing value."""
        classes = (NamedFlag("_".join(x.label.split()), value=int(x.value)) for x in self.classes)
        return (*self.bit_flags, *classes, *(NamedFlag(name, value=number) for number, name in self.encoding.flags))

    @property
    def stored_levels(self) -> Mapping[int, NativeGrid]:
        """Levels that the source stores, by number."""
        return {number: grid for number, grid in enumerate(self.levels) if number not in self.made_levels}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """Content of a source."""

    variables: Mapping[str, VariableInfo]
    """By variable id in the collection."""
    title: str | None = None
    attribution: str | None = None
    license: str | None = None
    findings: tuple[Finding, ...] = field(default=())
    is_of_files: bool = False
    """Whether its dates are in files, which may be overwritten while they are read."""
    group: str | None = None
    """Path of the group that was read; empty for the root, `None` for sources without groups."""
    other_groups: tuple[str, ...] = ()
    """Paths of other groups with rasters, if the configuration selects none."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Quality variable, and the condition on its numbers that keeps a value valid."""

    variable: str
    keep: tuple[int, ...] | ValueBounds | AbsentFlags
    """A tuple has the accepted digital numbers."""

    def hiding_flags(self, quality: VariableInfo) -> tuple[NamedFlag, ...]:
        """Return the flags of the quality variable that hide values; empty for other conditions.

        Raises:
            InvalidParameter: A flag does not exist.
        """
        return self.keep.select(quality.named_flags) if isinstance(self.keep, AbsentFlags) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionStep:
    """One step of a dimension of an array, selected by coordinate value or position."""

    dimension: str
    value: float | str | None = None
    index: int | None = None
    """Counted from 0; set if `value` is not."""

    def __repr__(self) -> str:
        """Return the form in stored fingerprints of dates, which would all be outdated by another class name."""
        return f"Step(dimension={self.dimension!r}, value={self.value!r}, index={self.index!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableSpec:
    """Configuration of a variable; `None` leaves a field to the metadata of the file."""

    id: str
    name: str | None = None
    """Name of the array in the file, or text for `{variable}` in the href; default: the id."""
    asset: str | None = None
    """Asset key in items; default: the id."""
    band: int | None = None
    """Band of a raster file, counted from 1."""
    select: tuple[DimensionStep, ...] = ()
    """Steps of additional dimensions of the array, such as depth."""
    title: str | None = None
    units: str | None = None
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    valid_range: tuple[float, float] | None = None
    dtype: str | None = None
    """numpy name of the actual dtype, if the file declares a different dtype of the same size."""
    flags: tuple[tuple[int, str], ...] = ()
    formula: Expression | None = None
    """Formula over ids of the same source, for a variable that no file contains."""
    mask: Mask | None = None
    circular: bool | float | None = None
    """Whether its values are directions or phases, or the length of a full turn."""
    has_classes: bool | None = None
    """Whether its numbers are classes, which have no mean; `None`: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindOptions:
    """Configuration options of a kind of source."""

    name: str
    """Value of the key `kind`."""
    is_of_files: bool = False
    """Whether `href` may be a pattern of files, and `time_pattern` may find the times in their names."""
    has_bands: bool = False
    """Whether variables are bands of files that GDAL reads, selected by `band`; else arrays, selected by `name`."""
    has_items: bool = False
    """Whether such a source always has items: overlapping scenes, listed in the item index."""
    may_have_items: bool = False
    """Whether `tiles: true` makes its files items."""
    has_groups: bool = False
    """Whether `group` selects a group of the file or store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGrid:
    """Lattice of a mosaic or of a swath, aligned with the origin of the CRS."""

    crs: str
    resolution: float
    """Side of a cell, in units of the CRS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsSpec:
    """Selection of a source's items, and rules that combine them into one raster per instant."""

    settings: IndexSettings = field(default_factory=IndexSettings)
    mosaic: Mosaic = field(default_factory=Mosaic)
    grid: TargetGrid | None = None
    filter: str | None = None
    """CQL2 text: items that do not match are not indexed."""
    keep_days: float | None = None
    """Items that started longer ago are not indexed."""
    mode: Literal["index", "live"] = "index"
    """`live`: the index contains the items that searches have found."""


DATA = "data"
"""Asset name of items that consist of one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """Configuration of a source: its files, and metadata that the files lack."""

    collection: str
    """Id of the collection, for messages."""
    kind: str
    href: str
    """Absolute path or URL; for kind `cog`, a glob that may contain `{variable}`."""
    group: str | None = None
    """Path of the group to read; empty for the root, `None` for the only group with rasters."""
    crs: str | None = None
    time_pattern: str | None = None
    """Regular expression over the file's path with a group `time`."""
    times: TimeDomain | None = None
    """The times of the bands of a file, or of the time axis, in order."""
    variables: Mapping[str, VariableSpec] = field(default_factory=dict)
    """By id; empty: all variables of the source."""
    series: str | None = None
    """Absolute path of a serving cube with the series of these files."""
    files: tuple[str, ...] = ()
    """Absolute paths of raster files; replaces the files that match `href`."""
    left_out: frozenset[str] = frozenset()
    """Absolute paths that match `href` but may not be opened."""
    items: ItemsSpec | None = None
    """Set if the source has overlapping scenes or tiles, which the item index lists."""
    has_each_step: bool = False
    """Whether each step of an additional dimension becomes a variable, if steps are few and no variables are named."""
    grid: TargetGrid | None = None
    """Grid of arrays with a latitude and longitude per cell; by default in degrees, of about the size of the cells."""
    looks_at_all: bool = False
    """Whether all raster files are opened immediately, even if they are many, to read their encodings."""

    @property
    def is_live(self) -> bool:
        """Whether its items are found through the API of another catalogue, not only in the index."""
        return self.items is not None and self.items.mode == "live"

    @property
    def stored(self) -> "SourceSpec":
        """The same source without formulas: only variables that are read from files."""
        stored = {name: variable for name, variable in self.variables.items() if variable.formula is None}
        return replace(self, variables=stored)
