"""Collections and their layers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from chronotile.core.model.access import EVERYONE, Rule
from chronotile.core.model.source import Mask, VariableInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.style import Style
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import Instant

Match = Literal["exact", "nearest", "before"]
DefaultRule = Literal["latest", "earliest", "none"]
Resampling = Literal["nearest", "bilinear"]

LocalisedText = dict[str, str]
"""Text by language tag; the key `""` stands for any language."""
Clock = Callable[[], Instant]
"""Returns the current time as `datetime64[ns]`, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRules:
    """Default time of a layer, and its answer to times that it does not have."""

    default: DefaultRule | TimeSpan = "latest"
    """An interval stands for the newest time in it."""
    min_valid: float | None = None
    """With `latest`: minimum fraction of valid pixels of the default time."""
    match: Match = "exact"
    tolerance: np.timedelta64 = np.timedelta64(0, "ns")
    is_always_exact: bool = False
    """Whether `match: exact` is configured. Gaps between irregular times then stay gaps on maps too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """Three variables as red, green and blue."""

    variables: tuple[VariableInfo, VariableInfo, VariableInfo]
    range: tuple[float, float]
    """Values that are drawn black and white."""
    gamma: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataLink:
    """Link to a metadata record on another server."""

    url: str
    format: str
    """Media type."""
    standard: str = "ISO19115:2003"
    """Standard of the record, in the words of WMS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Alternative name of a layer in all protocols."""

    name: str
    advertise: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """One variable or composite of a collection that can be drawn."""

    id: str
    collection: str
    """Id of the collection."""
    title: LocalisedText
    abstract: LocalisedText = field(default_factory=dict)
    content: VariableInfo | Composite
    times: TimeDomain
    """Times at which the layer can be drawn. A composite has the times that its three variables share."""
    styles: tuple[Style, ...]
    """The first is the default."""
    time_rules: TimeRules
    aliases: tuple[Alias, ...] = ()
    keywords: tuple[str, ...] = ()
    attribution: str | None = None
    license: str | None = None
    resampling: Resampling = "nearest"
    queryable: bool = True
    """Whether GetFeatureInfo of WMS and WMTS returns its values."""
    access: Rule = EVERYONE
    mask: Mask | None = None
    """Selects the clear pixels (`Collection.clear`). Only layers that are not listed have a mask here."""
    selection: str = ""
    """The parts of the source that the configuration selects for its collection; a part of its revisions."""

    @property
    def is_composite(self) -> bool:
        """Whether the layer is drawn from several variables and has no values itself."""
        return isinstance(self.content, Composite)

    @property
    def variables(self) -> tuple[VariableInfo, ...]:
        """Variables that the layer is drawn from: one, or the three of a composite."""
        return self.content.variables if isinstance(self.content, Composite) else (self.content,)

    @property
    def main_variable(self) -> VariableInfo:
        """Variable whose grid and units represent the layer."""
        return self.variables[0]

    @property
    def all_native_crs(self) -> tuple[Crs, ...]:
        """CRSs in which the layer has native cells."""
        return self.main_variable.all_native_crs


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedExtent:
    """Extent of a collection, stated by another catalogue."""

    bbox: BBox
    """CRS84; west > east if it crosses the antimeridian."""
    first: Instant | None
    """`None`: open start."""
    last: Instant | None
    """`None`: open end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Collection:
    """One published product with its layers."""

    id: str
    title: LocalisedText
    abstract: LocalisedText = field(default_factory=dict)
    attribution: str | None = None
    license: str | None = None
    keywords: tuple[str, ...] = ()
    metadata: tuple[MetadataLink, ...] = ()
    layers: tuple[Layer, ...]
    bbox: BBox
    """CRS84; the union of all layers."""
    stated: StatedExtent | None = None
    """Extent of all items in a remote catalogue. The layers cover only the items that searches have found."""
    access: Rule = EVERYONE
    clear: Mask | None = None
    """Selects the clear pixels of its variables. Set if one variable has such classes and no mask is configured."""
    is_partial: bool = False
    """Whether layers are hidden from the client. The client gets no items then, as items name all variables."""

    @property
    def variables(self) -> dict[str, VariableInfo]:
        """Variables that are layers, by name; composites add none."""
        return {layer.main_variable.name: layer.main_variable for layer in self.layers if not layer.is_composite}
