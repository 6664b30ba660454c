"""The top-level keys and collections of the configuration.

`docs/generate.py` writes `docs/reference/configuration.md` from the attribute docstrings of all sections.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from chronotile.catalog.access_section import AccessSection, RuleSection
from chronotile.catalog.items_sections import MosaicSection, SearchSection, TargetGridSection
from chronotile.catalog.places_section import PlacesSection
from chronotile.catalog.service_section import ServiceSection
from chronotile.catalog.source_section import SourceSection
from chronotile.catalog.time_section import TimeSection
from chronotile.catalog.value_types import PLACEHOLDER, Link, Localised
from chronotile.catalog.variable_sections import CompositeSection, MaskSection, VariableSection
from chronotile.core.model.collection import MetadataLink
from chronotile.core.model.source import VariableSpec
from chronotile.core.sections import Id, Section, Text


def _replace_none(value: object) -> object:
    return {} if value is None else value


def _check_attribution(text: str) -> str:
    unknown = [name for name in PLACEHOLDER.findall(text) if name != "{year}"]
    if unknown:
        raise ValueError(f"{unknown[0][:40]} is not valid; accepted is {{year}}")
    return text


class MetadataSection(Section):
    """A metadata record of a collection."""

    url: Link
    """URL of the record."""
    format: Text = "application/vnd.iso.19139+xml"
    """Media type of the record."""
    standard: Literal["ISO19115:2003", "FGDC:1998"] = "ISO19115:2003"
    """Standard of the record."""

    def link(self) -> MetadataLink:
        """Return the link."""
        return MetadataLink(url=self.url, format=self.format, standard=self.standard)


class CollectionSection(Section):
    """One published product."""

    title: Localised | None = None
    """Title; default: the title in the source, or the id."""
    abstract: Localised = Field(default_factory=dict)
    """A paragraph of text."""
    attribution: Annotated[Text, AfterValidator(_check_attribution)] | None = None
    """Attribution in every document and export; {year} becomes the year of the layer's last time."""
    license: Text | None = None
    """SPDX identifier or URL; other values appear as text in STAC and Records."""
    keywords: tuple[Text, ...] = ()
    """Keywords for searches."""
    metadata: tuple[MetadataSection, ...] = ()
    """External metadata records; WMS links to them."""
    source: SourceSection
    """Files or store of the collection."""
    time: TimeSection = TimeSection()
    """Default time of requests, and the answer if the layer lacks a requested time."""
    mosaic: MosaicSection = MosaicSection()
    """For collections of items: one raster from the items of a time."""
    search: SearchSection = SearchSection()
    """For collections of items: search and retention."""
    grid: TargetGridSection | None = None
    """For collections of items: grid of coverages and cubes if a request names no CRS. For kind netcdf and zarr:
    regular grid for arrays with a latitude and longitude per cell; default: degrees, with cells at most half as wide as
    in the array."""
    variables: dict[Id, Annotated[VariableSection, BeforeValidator(_replace_none)]] = Field(default_factory=dict)
    """Variables by id; default: all variables of the source."""
    composites: dict[Id, CompositeSection] = Field(default_factory=dict)
    """Composites by id."""
    clear: MaskSection | Literal["none"] | None = None
    """Mask of the pixels that the viewer shows with *Clear only*; `none` removes this option. Default: the classes
    clear, vegetation, not vegetated, bare soil and water of the first layer with a class for clouds; but `none` if a
    variable has a mask."""
    access: RuleSection | None = None
    """Rights to its layers and items; requires the top-level key `access`."""

    def selection(self, variables: Iterable[str]) -> str:
        """Return the configured group, arrays, bands, assets and steps of variables, as a text to compare.

        Operands of formulas and variables of masks are included. Other variables are excluded, because clients without
        access to them could see that they exist.
        """
        specs, waiting = dict[str, VariableSpec](), list(variables)
        if isinstance(self.clear, MaskSection):
            waiting.append(self.clear.variable)
        while waiting:
            name = waiting.pop()
            if name in self.variables and name not in specs:
                spec = specs[name] = self.variables[name].spec(name)
                waiting += spec.formula.names if spec.formula else ()
                waiting += [spec.mask.variable] if spec.mask else ()
        parts = [(name, spec.name, spec.band, spec.asset, spec.select) for name, spec in sorted(specs.items())]
        return repr((self.source.group, parts))


def _wrap_pattern(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class RootSection(Section):
    """The top-level keys."""

    include: Annotated[
        tuple[Text, ...], BeforeValidator(_wrap_pattern, json_schema_input_type=str | tuple[str, ...])
    ] = ()
    """Paths or patterns of additional files with the same top-level keys."""
    service: ServiceSection = ServiceSection()
    """Settings of the whole service."""
    access: AccessSection | None = None
    """Users and rights."""
    collections: Annotated[dict[Id, CollectionSection], Field(min_length=1)]
    """Collections by id."""
    places: dict[Id, PlacesSection] = Field(default_factory=dict)
    """Place sets by id."""
