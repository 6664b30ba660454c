"""Builds the catalogue from a configuration and the metadata of its sources."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import reduce
from types import MappingProxyType

import numpy as np

from chronotile.catalog.access_section import RuleSection, rule_of
from chronotile.catalog.catalogue import Catalogue, extent_of
from chronotile.catalog.checks import default_id, style_mistakes
from chronotile.catalog.clear_mask import clear_mask
from chronotile.catalog.climatology_texts import add_climatology_keyword, add_climatology_sentence
from chronotile.catalog.configuration import CollectionSection
from chronotile.catalog.default_styles import composite_style, default_style, stretch_style, style_for_name
from chronotile.catalog.load import Configuration
from chronotile.catalog.logo import read_logo
from chronotile.catalog.offered import offered_places
from chronotile.catalog.variable_sections import CompositeSection, MaskSection, VariableSection
from chronotile.core.errors import InvalidParameter, SourceUnavailable, UnknownLayer, UnknownPath, UnsupportedCrs
from chronotile.core.finding import Finding
from chronotile.core.model.access import Rule
from chronotile.core.model.collection import Collection, Composite, Layer, Resampling
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.source import Mask, SourceInfo, VariableInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.style import Style
from chronotile.core.model.time.domain import TimeDomain, common_times
from chronotile.core.model.time.instants import DISTANT_PAST, ONE_NS, format_instant
from chronotile.core.model.types import Instant
from chronotile.core.sections import ID
from chronotile.core.yaml_source import list_names, nearest, raise_mistakes

log = logging.getLogger(__name__)


def build_catalogue(
    configuration: Configuration,
    infos: Mapping[str, SourceInfo],
    styles: Mapping[str, Style],
    *,
    places: Mapping[str, PlaceSet] | None = None,
    unavailable: AbstractSet[str] = frozenset(),
    shipped: Mapping[str, Style] = MappingProxyType({}),
) -> tuple[Catalogue, tuple[Finding, ...]]:
    """Return the catalogue of the collections whose sources opened, and findings about skipped parts.

    Args:
        configuration: The checked configuration.
        infos: Metadata of the sources by collection; collections that are missing here are skipped without a finding.
        styles: All styles by id.
        places: The readable place sets by id.
        unavailable: Collections that are missing in `infos` because their source cannot be read now.
        shipped: Styles that come with chronotile, by id; no rule hides them.

    Raises:
        ConfigurationError: The configuration names unknown styles.
    """
    raise_mistakes(style_mistakes(configuration.root, styles))
    findings = list[Finding]()
    collections = list[Collection]()
    default = None if configuration.access is None else configuration.access.default
    for collection_id, section in configuration.collections.items():
        if collection_id in infos:
            offer = _OpenedCollection(collection_id, section, infos[collection_id], default)
            collections += _build_collection(offer, styles, findings)
    collections = _drop_repeated_names(collections, findings)
    styles_of_layers = {style.id: style for c in collections for layer in c.layers for style in layer.styles}
    configured = {id_: dict(_configured_names(id_, c, default)) for id_, c in configuration.collections.items()}
    rules = {missing_id: configured[missing_id] for missing_id in unavailable}
    catalogue = Catalogue(
        service=configuration.service.info(configuration.folder_of("service")),
        collections=tuple(collections),
        styles={**{key: style for key, style in styles_of_layers.items() if style.is_categorical}, **styles},
        crs=configuration.crs,
        tile_matrix_sets=configuration.tile_matrix_sets,
        limits=configuration.service.limits,
        places=places or {},
        unavailable={name: missing_id for missing_id, names in rules.items() for name in names},
        unopened={
            missing_id: _unopened_collection(missing_id, configuration.collections[missing_id], default)
            for missing_id in unavailable
        },
        access=None if configuration.access is None else configuration.access.rules(),
        rules_of_places={name: rule_of(default, p.access) for name, p in configuration.places.items()},
        rules_of_unavailable={name: rule for names in rules.values() for name, rule in names.items()},
        rules_of_configured={id_: tuple(names.values()) for id_, names in configured.items()},
        rules_of_styles=_rules_of_styles(configuration, styles, default),
        shipped_styles=shipped,
    )
    findings += [*_viewer_findings(catalogue), *_search_findings(configuration), *_places_findings(catalogue)]
    return catalogue, tuple(findings)


def _unopened_collection(collection_id: str, section: CollectionSection, default: RuleSection | None) -> Collection:
    return Collection(
        id=collection_id,
        title=section.title or {"": collection_id},
        abstract=section.abstract,
        license=section.license,
        keywords=section.keywords,
        metadata=tuple(record.link() for record in section.metadata),
        layers=(),
        bbox=BBox(-180, -90, 180, 90),
        access=rule_of(default, section.access),
    )


def _configured_names(
    collection_id: str, section: CollectionSection, default: RuleSection | None
) -> Iterator[tuple[str, Rule]]:
    """Yield the configured names of a collection and its layers, each with its rule."""
    yield collection_id, rule_of(default, section.access)
    sections: Mapping[str, VariableSection | CompositeSection] = {**section.variables, **section.composites}
    for name, part in sections.items():
        rule = rule_of(default, section.access, part.access)
        yield part.layer or default_id(collection_id, name), rule
        yield from ((alias.name, rule) for alias in part.aliases)


def _rules_of_styles(
    configuration: Configuration, styles: Mapping[str, Style], default: RuleSection | None
) -> dict[str, list[Rule]]:
    """Return the rules of the configured variables that use a style, by id of the style."""
    rules = dict[str, list[Rule]]()
    for section in configuration.collections.values():
        for name, variable in section.variables.items():
            style = style_for_name(name, styles)
            for style_id in variable.styles or ([] if style is None else [style.id]):
                rules.setdefault(style_id, []).append(rule_of(default, section.access, variable.access))
    return rules


def _viewer_findings(catalogue: Catalogue) -> Iterator[Finding]:
    try:
        if catalogue.service.logo is not None:
            read_logo(catalogue.service.logo)
    except UnknownPath as error:
        yield Finding("warning", "service.logo", f"{error.message}; the viewer shows the title alone")
    name = catalogue.service.viewer.default_layer
    try:
        if name is not None:
            catalogue.layer(name)
    except SourceUnavailable:
        return  # the unavailable collection of the layer has a finding
    except UnknownLayer as error:
        problem = f"{error.message}; the viewer starts with the first layer"
        yield Finding("warning", "service.viewer.default_layer", problem)


def _search_findings(configuration: Configuration) -> Iterator[Finding]:
    """Yield warnings about `search.properties` of items made from files, which have no properties."""
    for name, section in configuration.collections.items():
        properties = section.search.properties
        if section.source.tiles and properties:
            message = f"search.properties: items of files have no {list_names(properties)}; remove it"
            yield Finding("warning", name, message)


def _places_findings(catalogue: Catalogue) -> Iterator[Finding]:
    """Yield warnings about place sets that OGC API cannot list, because their name is already used."""
    for name in catalogue.places.keys() - offered_places(catalogue).keys():
        message = "a layer or collection has the same name, so that OGC API Features lacks these places; rename them"
        yield Finding("warning", f"places.{name}", message)


def _build_collection(
    offer: "_OpenedCollection", styles: Mapping[str, Style], findings: list[Finding]
) -> list[Collection]:
    """Return the collection in a list; an empty list and a finding if describing it fails in an unexpected way."""
    try:
        return list(_describe_collection(offer, styles, findings))
    except Exception as error:  # PROJ and numpy raise various errors for absurd numbers; serve the other collections
        log.debug("a collection cannot be described", exc_info=error)
        findings.append(Finding("error", offer.id, f"left out: it cannot be described: {type(error).__name__}"))
        return []


def _describe_collection(
    offer: "_OpenedCollection", styles: Mapping[str, Style], findings: list[Finding]
) -> Iterator[Collection]:
    """Yield the collection, unless it has no layer that can be drawn."""
    layers = list[Layer]()
    for layer in (*_variable_layers(offer, styles, findings), *_composite_layers(offer, findings)):
        if _has_extent(layer, findings):
            layers.append(layer)
            findings += _default_findings(layer)
    if not layers:
        is_unnamed = not offer.section.variables and not offer.info.variables
        reason = "names no variables; set variables:, such as {V: {band: 1}}"
        reason = reason if is_unnamed else "has no layer that can be drawn"
        findings.append(Finding("error", offer.id, f"left out: it {reason}"))
        return
    yield Collection(
        id=offer.id,
        title=offer.section.title or {"": offer.info.title or offer.id},
        abstract=offer.section.abstract,
        attribution=offer.attribution(max((layer.times for layer in layers), key=_last_start)),
        license=offer.license,
        keywords=offer.section.keywords,
        metadata=tuple(record.link() for record in offer.section.metadata),
        layers=tuple(layers),
        bbox=extent_of(layers),
        access=rule_of(offer.default, offer.section.access),
        clear=_clear_mask_of(offer, layers, findings),
    )


def _clear_mask_of(offer: "_OpenedCollection", layers: Sequence[Layer], findings: list[Finding]) -> Mask | None:
    """Return the configured or guessed mask of clear pixels; `None` if variables are masked already."""
    section = offer.section
    if isinstance(section.clear, MaskSection):
        return _configured_clear_mask(offer, section.clear.mask(), findings)
    is_masked = any(variable.mask is not None for variable in section.variables.values())
    return None if section.clear == "none" or is_masked else clear_mask(layers)


def _configured_clear_mask(offer: "_OpenedCollection", mask: Mask, findings: list[Finding]) -> Mask | None:
    """Return the mask; `None` and a finding if its quality variable lacks a flag."""
    quality = offer.info.variables.get(mask.variable)
    if quality is not None:
        try:
            mask.hiding_flags(quality)
        except InvalidParameter as error:
            findings.append(Finding("error", offer.id, f"clear: {error.message}"))
            return None
    return mask


@dataclass(frozen=True, slots=True)
class _OpenedCollection:
    """A configured collection and the metadata of its opened source."""

    id: str
    section: CollectionSection
    info: SourceInfo
    default: RuleSection | None
    """Rule of collections without `access`."""

    @property
    def license(self) -> str | None:
        return self.section.license or self.info.license

    def attribution(self, times: TimeDomain) -> str | None:
        """Return the text; `{year}` becomes the year of the last time, or its first and last year, or nothing."""
        text = self.section.attribution or self.info.attribution
        if text is None or "{year}" not in text:
            return text
        return " ".join(text.replace("{year}", _years(times)).split())

    def layer(self, layer_id: str, section: VariableSection | CompositeSection, drawing: "_LayerParts") -> Layer:
        content = drawing.content
        variables = content.variables if isinstance(content, Composite) else (content,)
        return Layer(
            id=layer_id,
            collection=self.id,
            title=section.title or {"": drawing.title},
            abstract=add_climatology_sentence(section.abstract, drawing.times),
            content=content,
            times=drawing.times,
            styles=drawing.styles,
            time_rules=self.section.time.rules(),
            aliases=tuple(alias.alias() for alias in section.aliases),
            keywords=add_climatology_keyword(self.section.keywords, drawing.times),
            attribution=self.attribution(drawing.times),
            license=self.license,
            resampling=drawing.resampling,
            queryable=section.queryable,
            access=rule_of(self.default, self.section.access, section.access),
            selection=self.section.selection(variable.name for variable in variables),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _LayerParts:
    """Properties of a layer that follow from its source."""

    title: str
    """Default if the configuration has no title."""
    content: VariableInfo | Composite
    times: TimeDomain
    styles: tuple[Style, ...]
    resampling: Resampling


def _variable_layers(offer: _OpenedCollection, styles: Mapping[str, Style], findings: list[Finding]) -> Iterator[Layer]:
    """Yield the layers of the configured variables; of all variables in the source if none are configured."""
    variables = offer.info.variables
    reported = {finding.place for finding in offer.info.findings if finding.severity == "error"}
    for name, section in (offer.section.variables or {name: VariableSection() for name in variables}).items():
        layer_id = section.layer or default_id(offer.id, name)
        if name not in variables and name in reported:
            continue  # an impossible formula or mask: the finding of the reader has the reason
        if name not in variables:
            message = (
                f"left out: the source has no such variable{nearest(name, variables)}; it has {list_names(variables)}"
            )
            findings.append(Finding("error", layer_id, message))
        elif not ID.fullmatch(layer_id):
            message = "left out: the name cannot be an id; configure the variable under another id, with name: its name"
            findings.append(Finding("warning", layer_id[:200], message))
        else:
            variable, bounds = variables[name], section.range
            if variable.encoding.circle is not None and section.resampling != "nearest":
                message = "it has directions, of which resampling bilinear has no meaning; it is drawn with nearest"
                findings.append(Finding("note", layer_id, message))
            chosen = [styles[chosen_style] for chosen_style in section.styles or ()]
            chosen = chosen or [default_style(variable, styles, layer=layer_id)]
            drawing = _LayerParts(
                title=variable.title or name,
                content=variable,
                times=variable.times,
                styles=tuple(
                    chosen_style if bounds is None else stretch_style(chosen_style, bounds) for chosen_style in chosen
                ),
                resampling=section.resampling if variable.encoding.circle is None else "nearest",
            )
            yield offer.layer(layer_id, section, drawing)


def _composite_layers(offer: _OpenedCollection, findings: list[Finding]) -> Iterator[Layer]:
    for name, section in offer.section.composites.items():
        layer_id = section.layer or default_id(offer.id, name)
        lacking = [variable for variable in section.variables if variable not in offer.info.variables]
        if lacking:
            message = f"left out: the source has no variable {lacking[0]}; it has {list_names(offer.info.variables)}"
            findings.append(Finding("error", layer_id, message))
            continue
        red, green, blue = (offer.info.variables[variable] for variable in section.variables)
        times = reduce(common_times, (red.times, green.times, blue.times))
        if not len(times) and max(len(red.times), len(green.times), len(blue.times)):
            findings.append(Finding("error", layer_id, "left out: its three variables have no time in common"))
            continue
        drawing = _LayerParts(
            title=name,
            content=Composite(variables=(red, green, blue), range=section.range, gamma=section.gamma),
            times=times,
            styles=(composite_style(section.range),),
            resampling="nearest"
            if any(channel.encoding.circle for channel in (red, green, blue))
            else offer.section.variables.get(section.variables[0], VariableSection()).resampling,
        )
        yield offer.layer(layer_id, section, drawing)


def _has_extent(layer: Layer, findings: list[Finding]) -> bool:
    """Return whether the layer has an extent in CRS84."""
    try:
        extent_of((layer,))
    except (InvalidParameter, UnsupportedCrs):
        message = "left out: its grid has no longitudes and latitudes; give the CRS with source.crs"
        findings.append(Finding("error", layer.id, message))
        return False
    return True


def _default_findings(layer: Layer) -> list[Finding]:
    """Return a warning if the layer has no time in its configured default."""
    default = layer.time_rules.default
    if isinstance(default, str) or not len(layer.times) or layer.times.indexes_within(default):
        return []
    start, end = (format_instant(instant) for instant in default)
    message = f"time.default means {start} to {end}, in which the layer has no time; the layer has no default"
    return [Finding("warning", layer.id, message)]


def _last_start(times: TimeDomain) -> Instant:
    return times.starts[-1] if len(times) else DISTANT_PAST


def _years(times: TimeDomain) -> str:
    if not len(times):
        return ""
    first, last = (str(np.datetime64(instant, "Y")) for instant in (times.starts[-1], times.ends[-1] - ONE_NS))
    return first if first == last else f"{first}-{last}"


def _drop_repeated_names(collections: Sequence[Collection], findings: list[Finding]) -> list[Collection]:
    """Drop layers whose id is used already; this concerns variables that the configuration does not list."""
    names = {collection.id for collection in collections}
    names |= {alias.name for collection in collections for layer in collection.layers for alias in layer.aliases}
    unique = list[Collection]()
    for collection in collections:
        layers = [layer for layer in collection.layers if layer.id not in names]
        message = "left out: this name is in use already; set another one with layer: NAME"
        findings += [Finding("error", layer.id, message) for layer in collection.layers if layer.id in names]
        names |= {layer.id for layer in layers}
        unique.append(replace(collection, layers=tuple(layers)))
    return [collection for collection in unique if collection.layers]
