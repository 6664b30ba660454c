"""The sections `variables` and `composites` of a collection."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from chronotile.catalog.access_section import RuleSection
from chronotile.catalog.kinds import Localised
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import (
    Alias,
    Mask,
    Resampling,
    Step,
    VariableSpec,
)
from chronotile.core.model.expression import parse_expression
from chronotile.core.sections import Id, Number, Range, Section, Text, unique


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

SelectedSteps = dict[Text, SelectedStep]


def steps_of(select: Mapping[str, float | str | StepSection]) -> tuple[Step, ...]:
    """Return the steps as readers take them."""
    return tuple(
        Step(dimension=name, index=step.index) if isinstance(step, StepSection) else Step(dimension=name, value=step)
        for name, step in select.items()
    )


def _wrap_alias(given: object) -> object:
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


Aliases = tuple[Annotated[AliasSection, BeforeValidator(_wrap_alias, json_schema_input_type=str | AliasSection)], ...]


def _parse_nodata(given: object) -> object:
    return float("nan") if isinstance(given, str) and given.lower() == "nan" else given


def _parse_flag_number(given: object) -> object:
    return int(given) if isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,18}", given) else given


def _check_scale(scale: float) -> float:
    if scale == 0:
        raise ValueError("scale must not be 0")
    return scale


Dtype = Literal["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def _check_formula(text: str) -> str:
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


_UNCHANGED = {"name", "asset", "band", "units", "scale", "offset", "nodata", "valid_range", "dtype", "circular"}
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
    select: SelectedSteps = Field(default_factory=dict)
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
    scale: Annotated[Number, AfterValidator(_check_scale)] | None = None
    """Value = number * scale + offset."""
    offset: Number | None = None
    """See scale."""
    nodata: Annotated[float, BeforeValidator(_parse_nodata, json_schema_input_type=float | Literal["nan"])] | None = (
        None
    )
    """The number of missing values, or nan."""
    valid_range: Range | None = None
    """Range of valid digital numbers, both ends included."""
    dtype: Dtype | None = None
    """The actual type of the numbers, if the file declares another one of the same size."""
    flags: dict[Annotated[int, BeforeValidator(_parse_flag_number)], Text] = Field(default_factory=dict)
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
    formula: Annotated[Text, AfterValidator(_check_formula)] | None = None
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
            **{name: getattr(self, name) for name in _UNCHANGED},
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
