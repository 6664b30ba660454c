"""The form of the configuration (docs/reference/configuration.md). What it says ends in values of the model.

The attribute docstrings are the reference: `docs/generate.py` makes `docs/reference/configuration.md` of them.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from chronotile.catalog.access_section import AccessSection, RuleSection
from chronotile.catalog.catalogue import Limits
from chronotile.catalog.kinds import PLACEHOLDER, CrsName, Localised, as_time_text
from chronotile.catalog.service_section import Link, ServiceSection
from chronotile.catalog.source_section import SourceSection
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import (
    Alias,
    DefaultRule,
    Mask,
    Match,
    MetadataLink,
    Resampling,
    Step,
    TargetGrid,
    TimeRules,
    VariableSpec,
)
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.items import Mosaic, MosaicRule, TimeGroup
from chronotile.core.model.places import PlacesSpec
from chronotile.core.model.time.instants import days_to_timedelta
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.sections import Id, Number, Range, Section, Text, unique

# The key `select` of a variable: one step of each further dimension, such as depth.


class StepSection(Section):
    """A step of a dimension by its position."""

    index: Annotated[int, Field(ge=0)]
    """Counted from 0."""


def _kind_of_step(given: object) -> str:
    if isinstance(given, dict | StepSection):
        return "<position>"
    return "<text>" if isinstance(given, str) else "<number>"


SelectedStep = Annotated[
    Annotated[Number, Tag("<number>")] | Annotated[Text, Tag("<text>")] | Annotated[StepSection, Tag("<position>")],
    Discriminator(_kind_of_step),
]

Select = dict[Text, SelectedStep]


def steps_of(select: Mapping[str, float | str | StepSection]) -> tuple[Step, ...]:
    """Return the steps as readers take them."""
    return tuple(
        Step(dimension=name, index=step.index) if isinstance(step, StepSection) else Step(dimension=name, value=step)
        for name, step in select.items()
    )


class MinValid(Section):
    """A condition on the newest time."""

    min_valid: Annotated[float, Field(gt=0, le=1)]
    """Least share of valid pixels."""


class LatestValid(Section):
    """The newest time that fulfils a condition."""

    latest: MinValid
    """The condition."""


_RULES: dict[str, DefaultRule] = {"latest": "latest", "earliest": "earliest", "none": "none"}


def _default_time(text: str) -> str:
    if text in _RULES:
        return text
    try:
        parse_instant(text)
    except InvalidParameter as error:
        raise ValueError(
            f"{text[:40]!r} is not a valid default; accepted are latest, earliest, none, an instant such as "
            "2020-06-01, and {latest: {min_valid: 0.3}}"
        ) from error
    return text


def _kind_of_default(given: object) -> str:
    return "<rule>" if isinstance(given, dict | LatestValid) else "<text>"


DefaultTime = Annotated[
    Annotated[LatestValid, Tag("<rule>")]
    | Annotated[
        Annotated[str, AfterValidator(_default_time), BeforeValidator(as_time_text, json_schema_input_type=str)],
        Tag("<text>"),
    ],
    Discriminator(_kind_of_default),
]


class TimeSection(Section):
    """The time of requests without one, and the substitute of a time that does not exist."""

    default: DefaultTime = "latest"
    """latest, earliest, none, an instant (of a period such as 2020-06 its newest time), or {latest: {min_valid: 0.3}};
    never later than tomorrow."""
    match: Match = "exact"
    """nearest and before need tolerance_days. If match is absent, all answers are exact, except maps of WMS and WMTS of
    layers with irregular times: they show the latest time before, within 1.5 times the 95th percentile of the gaps."""
    tolerance_days: Annotated[float, Field(gt=0, le=36525)] | None = None
    """Maximum distance between the substitute and the requested time."""
    group: TimeGroup = "exact"
    """Of collections of items: which of them are one time: those of the same time, or of the same day by the sun."""

    @model_validator(mode="after")
    def _fit(self) -> "TimeSection":
        if self.match != "exact" and self.tolerance_days is None:
            raise ValueError(f"match {self.match} needs tolerance_days")
        if self.match == "exact" and self.tolerance_days is not None:
            raise ValueError("tolerance_days belongs to match nearest and before")
        return self

    def rules(self) -> TimeRules:
        """Return the rules for a layer."""
        default = self.default
        rules = TimeRules(
            match=self.match,
            tolerance=days_to_timedelta(self.tolerance_days or 0),
            is_always_exact=self.match == "exact" and "match" in self.model_fields_set,
        )
        if isinstance(default, LatestValid):
            return replace(rules, min_valid=default.latest.min_valid)
        return replace(rules, default=_RULES.get(default) or parse_instant(default))


_PROPERTY = re.compile(r"-?[A-Za-z_][A-Za-z0-9_:.-]{0,99}")
_BY_START = "datetime"
_BY_NODATA = "s2:nodata_pixel_percentage"
"""What Sentinel-2's catalogues call it; others have a property of their own, or none."""


def _order(text: str) -> str:
    if not _PROPERTY.fullmatch(text):
        raise ValueError(
            f"{text[:40]!r} is not a property; accepted are names such as eo:cloud_cover, and -eo:cloud_cover for "
            "descending order"
        )
    return text


class MosaicSection(Section):
    """How the items of one time become one raster. Where an item has no value, the next one is used."""

    rule: MosaicRule = "first"
    """The value where items overlap: of the first in the order of order_by, of the latest, of the one with the fewest
    missing values, or the max, mean or median of all."""
    order_by: Annotated[Text, AfterValidator(_order)] | None = None
    """Property by which items are ordered, ascending, with - before it descending: eo:cloud_cover; equal values by item
    id. Not with rule latest, which orders by time; with least_nodata the property that has the share of missing values,
    by default s2:nodata_pixel_percentage. The first item of a place is also its native grid."""
    too_many: Literal["footprints", "refuse"] = "footprints"
    """What a map gets that needs more than max_pieces files: the outlines of the items, or an error."""
    max_pieces: Annotated[int, Field(ge=1, le=4096)] = 64
    """Maximum number of files that are opened for one picture."""

    @model_validator(mode="after")
    def _fit(self) -> "MosaicSection":
        if self.rule == "latest" and self.order_by is not None:
            raise ValueError("rule latest orders by time; remove order_by, or use rule first")
        return self

    def mosaic(self) -> Mosaic:
        """Return how items are composed."""
        order_by, is_descending = self.order()
        return Mosaic(**{**dict(self), "order_by": order_by, "is_descending": is_descending})

    def order(self) -> tuple[str | None, bool]:
        """Return the property by which items are ordered, and whether descending."""
        if self.rule == "latest":
            return _BY_START, True
        if self.rule == "least_nodata" and self.order_by is None:
            return _BY_NODATA, False
        if self.order_by is None:
            return None, False
        return self.order_by.removeprefix("-"), self.order_by.startswith("-")


_HAVE_COLUMNS = {*("id", "collection", "datetime", "start_datetime", "end_datetime", "updated", "geometry", "bbox")}


def _searched(name: str) -> str:
    if name.startswith("-") or not _PROPERTY.fullmatch(name) or name in _HAVE_COLUMNS:
        raise ValueError(
            f"{name[:40]!r} is not a property with values of its own; accepted are names such as grid:code"
        )
    return name


class SearchSection(Section):
    """How items of a collection are found."""

    properties: Annotated[
        tuple[Annotated[Text, AfterValidator(_searched)], ...],
        AfterValidator(lambda names: tuple(dict.fromkeys(names))),
    ] = Field(default=(), max_length=8)
    """Properties whose values = and IN of filters find by an index: grid:code, platform; at most 8. A change needs no
    source: the index has them after the next chronotile index or serve."""
    keep_days: Annotated[float, Field(gt=0, le=36_500)] | None = None
    """Items whose time began longer ago are removed from the index by chronotile index, and their files stay; default:
    none are. Not of mode live."""


class TargetGridSection(Section):
    """Cells of one size, from the origin of a CRS on."""

    crs: CrsName
    """Their CRS."""
    resolution: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Side of a cell, in units of the CRS."""

    def grid(self) -> TargetGrid:
        """Return the cells."""
        return TargetGrid(crs=self.crs, resolution=self.resolution)


FORMATS = (".geojson", ".json", ".gpkg", ".fgb")
OWN_FIELDS = ("id", "label")
"""What every place says of itself."""


def _href(href: str) -> str:
    if "://" in href and urlsplit(href).scheme != "file":
        raise ValueError("places must be in a local file; accepted are a path and file:///path")
    if PurePath(href).suffix.lower() not in FORMATS:
        raise ValueError(f"{href[-40:]!r} has an unknown format; accepted are {', '.join(FORMATS)}")
    return href


def _free(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name in OWN_FIELDS:
            raise ValueError(f"every place has a field {name} already; name the file's with {name}: FIELD")
    return names


class PlacesSection(Section):
    """Named polygons, such as provinces or fields: their series by name, their vector tiles."""

    title: Localised | None = None
    """Title; default: the id."""
    href: Annotated[Text, AfterValidator(_href)]
    """A GeoJSON, GeoPackage, shapefile or FlatGeobuf file, from the folder of this file; the last two need an extra."""
    table: Text | None = None
    """The feature table, of a GeoPackage that has several."""
    id: Text | None = None
    """The field with a unique id of each place; default: the ids of the GeoJSON features."""
    label: Text | None = None
    """The field with the names for people; default: the ids."""
    fields: Annotated[tuple[Text, ...], Field(max_length=40), AfterValidator(unique), AfterValidator(_free)] = ()
    """Other fields that documents and tiles carry."""
    attribution: Text | None = None
    """Creator of the data, published with them."""
    access: RuleSection | None = None
    """Who may see and download them."""

    def spec(self, set_id: str, *, path: str, limits: Limits) -> PlacesSpec:
        """Return what is to be read."""
        return PlacesSpec(
            id=set_id,
            title=self.title or {"": set_id},
            attribution=self.attribution,
            path=path,
            table=self.table,
            id_field=self.id,
            label_field=self.label,
            fields=self.fields,
            max_features=limits.max_features,
            max_vertices=limits.max_vertices,
        )


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


_AS_WRITTEN = {"name", "asset", "band", "units", "scale", "offset", "nodata", "valid_range", "dtype", "circular"}
"""Keys of a variable that are what a reader knows of it."""


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
    """Of kind zarr and netcdf: one step of each further dimension, by value ({depth: 10}) or {depth: {index: 0}};
    `run` is the run of a forecast, by its time or `latest`."""
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
    circular: bool | Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Whether values are directions or phases, so that 350 and 10 degrees have the mean 0; a number is the length of a
    full turn, such as 24 for hours of the day. Default: by CF standard_name and units of the file."""
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
    access: RuleSection | None = None
    """Who may use the layer, where others than of the collection; not the variables that it is made of."""

    def spec(self, variable: str) -> VariableSpec:
        """Return what a reader must know of the variable of that id."""
        return VariableSpec(
            id=variable,
            select=steps_of(self.select),
            title=None if self.title is None else next(iter(self.title.values())),
            flags=tuple(self.flags.items()),
            formula=None if self.formula is None else parse_expression(self.formula),
            mask=None if self.mask is None else Mask(self.mask.variable, self.mask.keep),
            **{name: getattr(self, name) for name in _AS_WRITTEN},
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
    access: RuleSection | None = None
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
    search: SearchSection = SearchSection()
    """Of collections of items: what filters find by an index."""
    grid: TargetGridSection | None = None
    """Of collections of items: the cells of coverages and cubes whose request names no CRS; maps and series need
    none."""
    variables: dict[Id, Annotated[VariableSection, BeforeValidator(_nothing_as_empty)]] = Field(default_factory=dict)
    """Variables by id; default: all of the source."""
    composites: dict[Id, CompositeSection] = Field(default_factory=dict)
    """Composites by id."""
    clear: MaskSection | Literal["none"] | None = None
    """Pixels that the viewer shows as clear, `{variable: SCL, keep: [4, 5, 6]}`, or none; default: by the names
    of the classes of a layer that has clouds among them, unless a variable has a mask."""
    access: RuleSection | None = None
    """Who may do what with its layers and items; needs `access` at the top."""


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
    access: AccessSection | None = None
    """Users and rights."""
    collections: Annotated[dict[Id, CollectionSection], Field(min_length=1)]
    """Collections by id."""
    places: dict[Id, PlacesSection] = Field(default_factory=dict)
    """Sets of named polygons by id."""
