"""The form of the configuration (docs/reference/configuration.md). What it says ends in values of the model.

The attribute docstrings are the reference: `docs/generate.py` makes `docs/reference/configuration.md` of them.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from chronotile.catalog.items_sections import MosaicSection, TargetGridSection
from chronotile.catalog.kinds import PLACEHOLDER, Localised
from chronotile.catalog.places_section import PlacesSection
from chronotile.catalog.select_section import Select, steps_of
from chronotile.catalog.service_section import Link, ServiceSection
from chronotile.catalog.source_section import SourceSection
from chronotile.catalog.time_section import TimeSection
from chronotile.errors import InvalidParameter
from chronotile.model.collection import Alias, MetadataLink, Resampling
from chronotile.model.expression import parse_expression
from chronotile.model.source import Mask, VariableSpec
from chronotile.sections import Id, Number, Range, Section, Text, unique


def _nothing_as_empty(given: object) -> object:
    return {} if given is None else given


def _alias(given: object) -> object:
    return {"name": given} if isinstance(given, str) else given


class AliasSection(Section):
    """Another name of a layer in every protocol."""

    name: Id
    """The name."""
    advertise: bool = False
    """Whether it is also listed, as a separate layer."""

    def alias(self) -> Alias:
        """Return the alias."""
        return Alias(name=self.name, advertise=self.advertise)


Aliases = tuple[Annotated[AliasSection, BeforeValidator(_alias, json_schema_input_type=str | AliasSection)], ...]


def _nodata(given: object) -> object:
    return float("nan") if isinstance(given, str) and given.lower() == "nan" else given


def _flag_number(given: object) -> object:
    return int(given) if isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,18}", given) else given


def _nonzero(scale: float) -> float:
    if scale == 0:
        raise ValueError("scale must not be 0")
    return scale


Dtype = Literal["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def _formula(text: str) -> str:
    try:
        parse_expression(text)
    except InvalidParameter as error:
        raise ValueError(error.message) from error
    return text


class MaskSection(Section):
    """The valid cells of a variable: those where a quality variable has one of some numbers."""

    variable: Id
    """The quality variable of the same collection, on the same grid or with cells a whole number of times as large."""
    keep: Annotated[tuple[int, ...], Field(min_length=1)]
    """The digital numbers of the quality variable at which a value is valid."""


class VariableSection(Section):
    """A variable and its layer.

    Set `units`, `scale`, `offset`, `nodata`, `valid_range` and `dtype` only if they are missing or wrong in all files:
    they replace what each file states.
    """

    name: Text | None = None
    """The array's name in the file, or the text for {variable} in href; default: the id. Of kind stac: the name of a
    band of the asset, or the path of an array in a Zarr store."""
    band: Annotated[int, Field(ge=1)] | None = None
    """Band of a raster file, counted from 1."""
    asset: Text | None = None
    """Of kind stac: key of the asset in the items; default: the id."""
    select: Select = Field(default_factory=dict)
    """Of kind zarr and netcdf: one step of each further dimension, by value ({depth: 10}) or {depth: {index: 0}}."""
    layer: Id | None = None
    """Id of the layer; default: collection.variable."""
    title: Localised | None = None
    """Title of the layer; default: the file's own, or the id."""
    abstract: Localised = Field(default_factory=dict)
    """A paragraph about the layer."""
    units: Text | None = None
    """Units of the values, in quotes if they look like a number: "1"."""
    scale: Annotated[Number, AfterValidator(_nonzero)] | None = None
    """Value = number * scale + offset."""
    offset: Number | None = None
    """See scale."""
    nodata: Annotated[float, BeforeValidator(_nodata, json_schema_input_type=float | Literal["nan"])] | None = None
    """The number of missing values, or nan."""
    valid_range: Range | None = None
    """Range of valid digital numbers, both ends included."""
    dtype: Dtype | None = None
    """The actual type of the numbers, if the file declares another one of the same size."""
    flags: dict[Annotated[int, BeforeValidator(_flag_number)], Text] = Field(default_factory=dict)
    """Digital numbers that are reasons of missing values, with their names: {252: cloud}."""
    range: Range | None = None
    """Physical values over which ramps are stretched; default: those of the styles."""
    styles: Annotated[tuple[Id, ...], Field(min_length=1), AfterValidator(unique)] | None = None
    """Ids of styles, the first is the default; if absent, one is chosen by the variable's name and values."""
    aliases: Aliases = ()
    """Other names of the layer in every protocol; {name: …, advertise: true} is also listed."""
    queryable: bool = True
    """Whether GetFeatureInfo of WMS and WMTS returns values of places."""
    resampling: Resampling = "nearest"
    """How pictures are resampled."""
    mask: MaskSection | None = None
    """Removes values by a quality variable: `{variable: SCL, keep: [4, 5, 6]}`."""
    formula: Annotated[Text, AfterValidator(_formula)] | None = None
    """Arithmetic on other variables of the collection on one grid, instead of files: (NIR - RED) / (NIR + RED)."""

    def spec(self, variable: str) -> VariableSpec:
        """Return what a reader must know of the variable of that id."""
        return VariableSpec(
            id=variable,
            name=self.name,
            asset=self.asset,
            band=self.band,
            select=steps_of(self.select),
            title=None if self.title is None else next(iter(self.title.values())),
            units=self.units,
            scale=self.scale,
            offset=self.offset,
            nodata=self.nodata,
            valid_range=self.valid_range,
            dtype=self.dtype,
            flags=tuple(self.flags.items()),
            formula=None if self.formula is None else parse_expression(self.formula),
            mask=None if self.mask is None else Mask(self.mask.variable, self.mask.keep),
        )


class CompositeSection(Section):
    """A layer of three variables as red, green and blue."""

    variables: tuple[Id, Id, Id]
    """Three variables of the collection: red, green, blue."""
    range: Range
    """Physical values of black and white."""
    gamma: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Above 1 brightens the middle."""
    layer: Id | None = None
    """Id of the layer; default: collection.composite."""
    title: Localised | None = None
    """Title of the layer; default: the id."""
    abstract: Localised = Field(default_factory=dict)
    """A paragraph about the layer."""
    aliases: Aliases = ()
    """As for variables."""
    queryable: bool = True
    """As for variables."""


def _attribution(text: str) -> str:
    unknown = [found for found in PLACEHOLDER.findall(text) if found != "{year}"]
    if unknown:
        raise ValueError(f"{unknown[0][:40]} is not valid; accepted is {{year}}")
    return text


class MetadataSection(Section):
    """A metadata record of a collection."""

    url: Link
    """Its address."""
    format: Text = "application/vnd.iso.19139+xml"
    """Its media type."""
    standard: Literal["ISO19115:2003", "FGDC:1998"] = "ISO19115:2003"
    """Standard of the record."""

    def link(self) -> MetadataLink:
        """Return the link."""
        return MetadataLink(url=self.url, format=self.format, standard=self.standard)


class CollectionSection(Section):
    """One published product."""

    title: Localised | None = None
    """Title; default: the source's own, or the id."""
    abstract: Localised = Field(default_factory=dict)
    """A paragraph about it."""
    attribution: Annotated[Text, AfterValidator(_attribution)] | None = None
    """Included in every document and export; {year} becomes the year of the layer's last time."""
    license: Text | None = None
    """SPDX identifier or URL; STAC and Records have other words, such as SPDX expressions, as text."""
    keywords: tuple[Text, ...] = ()
    """Keywords for searches."""
    metadata: tuple[MetadataSection, ...] = ()
    """External metadata records, which WMS links to."""
    source: SourceSection
    """Its files."""
    time: TimeSection = TimeSection()
    """How times of requests are resolved."""
    mosaic: MosaicSection = MosaicSection()
    """Of collections of items: how those of one time become one raster."""
    grid: TargetGridSection | None = None
    """Of collections of items: the cells of coverages and cubes whose request names no CRS; maps and series need
    none."""
    variables: dict[Id, Annotated[VariableSection, BeforeValidator(_nothing_as_empty)]] = Field(default_factory=dict)
    """Variables by id; default: all of the source."""
    composites: dict[Id, CompositeSection] = Field(default_factory=dict)
    """Composites by id."""


def _one_or_many(given: object) -> object:
    return (given,) if isinstance(given, str) else given


class RootSection(Section):
    """The top-level keys."""

    include: Annotated[
        tuple[Text, ...], BeforeValidator(_one_or_many, json_schema_input_type=str | tuple[str, ...])
    ] = ()
    """Other files with the same top-level keys, as patterns from the folder of this file."""
    service: ServiceSection = ServiceSection()
    """Settings of the whole service."""
    collections: Annotated[dict[Id, CollectionSection], Field(min_length=1)]
    """Collections by id."""
    places: dict[Id, PlacesSection] = Field(default_factory=dict)
    """Sets of named polygons by id."""
