"""The sections `variables` and `composites` of a collection."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from chronotile.catalog.access_section import RuleSection
from chronotile.catalog.value_types import Localised, join_words
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Alias, Resampling
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.quality import AbsentFlags, BitLayout, ValueBounds
from chronotile.core.model.source import DimensionStep, Mask, VariableSpec
from chronotile.core.sections import Id, Number, Range, Section, Text, unique


class StepSection(Section):
    """A step of a dimension by its position."""

    index: Annotated[int, Field(ge=0)]
    """Position from 0."""


def _kind_of_step(step: object) -> str:
    if isinstance(step, dict | StepSection):
        return "<position>"
    return "<text>" if isinstance(step, str) else "<number>"


SelectedStep = Annotated[
    Annotated[Number, Tag("<number>")] | Annotated[Text, Tag("<text>")] | Annotated[StepSection, Tag("<position>")],
    Discriminator(_kind_of_step),
]

SelectedSteps = dict[Text, SelectedStep]


def steps_of(select: Mapping[str, float | str | StepSection]) -> tuple[DimensionStep, ...]:
    """Return one step per dimension, as readers take them."""
    return tuple(
        DimensionStep(dimension=name, index=step.index)
        if isinstance(step, StepSection)
        else DimensionStep(dimension=name, value=step)
        for name, step in select.items()
    )


def _wrap_alias(alias: object) -> object:
    return {"name": alias} if isinstance(alias, str) else alias


class AliasSection(Section):
    """Another name of a layer in every protocol."""

    name: Id
    """The name."""
    advertise: bool = False
    """Whether lists contain the name as a separate layer."""

    def alias(self) -> Alias:
        """Return the alias."""
        return Alias(name=self.name, advertise=self.advertise)


Aliases = tuple[Annotated[AliasSection, BeforeValidator(_wrap_alias, json_schema_input_type=str | AliasSection)], ...]


def _parse_nodata(number: object) -> object:
    return float("nan") if isinstance(number, str) and number.lower() == "nan" else number


def _parse_flag_number(number: object) -> object:
    return int(number) if isinstance(number, str) and re.fullmatch(r"-?[0-9]{1,18}", number) else number


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
    """A cell is valid only if a quality variable meets the condition in the same cell. A mask has one condition."""

    variable: Id
    """Quality variable of the same collection. Its grid is the same, or its cells are n times larger (n = 2, 3, …)."""
    keep: Annotated[tuple[int, ...], Field(min_length=1)] = ()
    """Digital numbers of valid cells."""
    at_least: Number | None = None
    """Smallest value of valid cells."""
    at_most: Number | None = None
    """Largest value of valid cells."""
    without: Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(unique)] = ()
    """Flags of invalid cells, such as names in CF `flag_meanings`."""
    bits: BitLayout | None = None
    """Product that defines the flags, if the file does not name them."""

    @model_validator(mode="after")
    def _have_one_condition(self) -> "MaskSection":
        has_bounds = (self.at_least, self.at_most) != (None, None)
        conditions = {"keep": self.keep, "at_least and at_most": has_bounds, "without": self.without}
        stated = [name for name, is_stated in conditions.items() if is_stated]
        if len(stated) != 1:
            raise ValueError(
                f"accepted is keep, or at_least and at_most, or without; got {join_words(stated, 'and') or 'none'}"
            )
        if self.bits is not None and not self.without:
            raise ValueError("bits belongs to without")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least is greater than at_most: {self.at_least:g} and {self.at_most:g}")
        if self.bits is not None:
            try:
                AbsentFlags(self.without, self.bits).select(())
            except InvalidParameter as error:
                raise ValueError(error.message) from error
        return self

    def mask(self) -> Mask:
        """Return the mask."""
        if self.without:
            return Mask(self.variable, AbsentFlags(self.without, self.bits))
        if self.keep:
            return Mask(self.variable, self.keep)
        ends = {"at_least": self.at_least, "at_most": self.at_most}
        return Mask(self.variable, ValueBounds(**{name: end for name, end in ends.items() if end is not None}))


_UNCHANGED = {"name", "asset", "band", "units", "scale", "offset", "nodata", "valid_range", "dtype", "circular"}
"""Keys that are copied to `VariableSpec` unchanged."""


class VariableSection(Section):
    """A variable and its layer.

    Set `units`, `scale`, `offset`, `nodata`, `valid_range` and `dtype` only if they are missing or wrong in all files:
    they override the metadata of each file.
    """

    name: Text | None = None
    """Name of the variable in the source; default: the id. For kind zarr and netcdf: the array; for kind cog: text for
    `{variable}` in `href`; for kind stac: a band of the asset, or path of an array in a Zarr store."""
    band: Annotated[int, Field(ge=1)] | None = None
    """Band of a raster file, counted from 1."""
    asset: Text | None = None
    """For kind stac: key of the asset in the items; default: the id."""
    select: SelectedSteps = Field(default_factory=dict)
    """The step of each dimension except time, y and x: by value (`{depth: 10}`) or position (`{depth: {index: 0}}`).
    For GRIB files, `number` selects a member of an ensemble. `run` selects one forecast: by its start, or the newest
    (`latest`)."""
    layer: Id | None = None
    """Id of the layer; default: collection.variable."""
    title: Localised | None = None
    """Title of the layer; default: the title in the file, or the id."""
    abstract: Localised = Field(default_factory=dict)
    """A paragraph about the layer."""
    units: Text | None = None
    """Units of the values, in quotes if they look like a number: "1"."""
    scale: Annotated[Number, AfterValidator(_check_scale)] | None = None
    """Value = digital number * scale + offset."""
    offset: Number | None = None
    """See scale."""
    nodata: Annotated[float, BeforeValidator(_parse_nodata, json_schema_input_type=float | Literal["nan"])] | None = (
        None
    )
    """Digital number of missing values, or `nan`."""
    valid_range: Range | None = None
    """Smallest and largest valid digital number."""
    dtype: Dtype | None = None
    """Type of the digital numbers, if the file declares a wrong type of the same size."""
    flags: dict[Annotated[int, BeforeValidator(_parse_flag_number)], Text] = Field(default_factory=dict)
    """Digital numbers that stand for a missing value, with the reason: `{252: cloud}`."""
    circular: bool | Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """`true` for directions and phases: the mean of 350 and 10 degrees is then 0. A number is the length of a full
    turn, such as 24 for hours. Default: from CF standard_name and units."""
    range: Range | None = None
    """First and last value of the colour ramps; default: the ranges of the styles."""
    styles: Annotated[tuple[Id, ...], Field(min_length=1), AfterValidator(unique)] | None = None
    """Ids of styles, the default first; if absent, the server chooses one by classes, units, name and values."""
    aliases: Aliases = ()
    """Other names of the layer in every protocol; with `{name: …, advertise: true}` also in lists of layers."""
    queryable: bool = True
    """Whether GetFeatureInfo of WMS and WMTS returns values."""
    resampling: Resampling = "nearest"
    """Resampling of pictures."""
    mask: MaskSection | None = None
    """Quality variable that hides values: `{variable: SCL, keep: [4, 5, 6]}`."""
    formula: Annotated[Text, AfterValidator(_check_formula)] | None = None
    """Arithmetic on other variables of the collection on the same grid: `(NIR - RED) / (NIR + RED)`."""
    access: RuleSection | None = None
    """Rights to the layer; default: rights to the collection. A formula inherits no rights from its variables."""

    def spec(self, variable: str) -> VariableSpec:
        """Return the facts that readers need about the variable with this id."""
        return VariableSpec(
            id=variable,
            select=steps_of(self.select),
            title=None if self.title is None else next(iter(self.title.values())),
            flags=tuple(self.flags.items()),
            formula=None if self.formula is None else parse_expression(self.formula),
            mask=None if self.mask is None else self.mask.mask(),
            **{name: getattr(self, name) for name in _UNCHANGED},
        )


class CompositeSection(Section):
    """A layer of three variables as red, green and blue."""

    variables: tuple[Id, Id, Id]
    """Three variables of the collection: red, green, blue."""
    range: Range
    """Values of black and of full brightness."""
    gamma: Annotated[float, Field(gt=0, le=10)] = 1.0
    """A number above 1 brightens middle values."""
    layer: Id | None = None
    """Id of the layer; default: collection.composite."""
    title: Localised | None = None
    """Title of the layer; default: the id."""
    abstract: Localised = Field(default_factory=dict)
    """A paragraph about the layer."""
    aliases: Aliases = ()
    """Same as `aliases` of variables."""
    queryable: bool = True
    """Same as `queryable` of variables."""
    access: RuleSection | None = None
    """Same as `access` of variables."""
