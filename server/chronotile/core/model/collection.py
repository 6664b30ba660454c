"""Collections and their layers."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

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
