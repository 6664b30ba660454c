"""Descriptions of the configured sources and place sets, as readers open them."""

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from chronotile.catalog.configuration import CollectionSection
from chronotile.catalog.default_styles import style_for_name
from chronotile.catalog.load import Configuration
from chronotile.core.model.items import IndexSettings
from chronotile.core.model.places import PlacesSpec
from chronotile.core.model.quality import ValueBounds
from chronotile.core.model.source import DATA, ItemsSpec, KindOptions, SourceSpec, VariableSpec
from chronotile.core.model.style import Style


def source_specs(configuration: Configuration, styles: Mapping[str, Style]) -> dict[str, SourceSpec]:
    """Return the sources by collection; relative paths start at the folder of the file that contains them.

    Args:
        configuration: The checked configuration.
        styles: All styles by id; a variable with a style of classes has classes.
    """
    specs = {}
    for collection_id, section in configuration.collections.items():
        folder, kind = configuration.folder_of("collections", collection_id), configuration.kinds[section.source.kind]
        spec = _source_spec(collection_id, section, folder, kind)
        specs[collection_id] = replace(spec, variables=_mark_classes(spec.variables, section, styles))
    return specs


def places_specs(configuration: Configuration) -> dict[str, PlacesSpec]:
    """Return the place sets by id."""
    limits = configuration.service.limits
    folders = {name: configuration.folder_of("places", name) for name in configuration.places}
    return {
        name: section.spec(name, path=absolute_href(section.href, folders[name]), limits=limits)
        for name, section in configuration.places.items()
    }


def absolute_href(href: str, folder: Path, kind: KindOptions | None = None) -> str:
    """Return a URL unchanged, a `file://` URL as a path, and a path relative to `folder` as an absolute path.

    If `href` is a pattern, wildcards in the name of the folder itself are replaced by `?`.
    """
    parts = urlsplit(href)
    if parts.scheme == "file":
        return unquote(parts.path)
    if "://" in href:
        return href
    is_pattern = kind is not None and _is_pattern(href, folder, kind)
    start = re.sub(r"[][*?{}]", "?", str(folder)) if is_pattern else str(folder)
    return os.path.normpath(Path(start, href))


def _is_pattern(href: str, folder: Path, kind: KindOptions) -> bool:
    if kind.has_bands and kind.is_of_files:
        return glob.has_magic(href) or "{variable}" in href
    return kind.is_of_files and bool(re.search(r"[*?]", href)) and not Path(folder, href).is_file()


def _source_spec(collection_id: str, section: CollectionSection, folder: Path, kind: KindOptions) -> SourceSpec:
    source = section.source
    return SourceSpec(
        collection=collection_id,
        kind=source.kind,
        href=absolute_href(source.href, folder, kind),
        group=source.group,
        crs=source.crs,
        time_pattern=source.time_pattern,
        times=source.time_domain(),
        variables={name: _variable_spec(name, section) for name in section.variables},
        series=None if source.series is None else absolute_href(source.series, folder),
        left_out=frozenset(absolute_href(path, folder) for path in source.without),
        items=_items_spec(section) if kind.has_items or source.tiles else None,
        grid=None if section.grid is None or kind.has_bands or source.tiles else section.grid.grid(),
    )


def _variable_spec(name: str, section: CollectionSection) -> VariableSpec:
    """Return the variable; if files are items, the text for `{variable}` in their names is the name of the asset."""
    spec = section.variables[name].spec(name)
    if not section.source.tiles:
        return spec
    return replace(spec, asset=(spec.name or name) if "{variable}" in section.source.href else DATA)


def _items_spec(section: CollectionSection) -> ItemsSpec:
    order_by, is_descending = section.mosaic.order()
    return ItemsSpec(
        settings=IndexSettings(
            group=section.time.group, order_by=order_by, is_descending=is_descending, searched=section.search.properties
        ),
        mosaic=section.mosaic.mosaic(),
        grid=None if section.grid is None else section.grid.grid(),
        filter=section.source.filter,
        keep_days=section.search.keep_days,
        mode=section.source.mode,
    )


def _mark_classes(
    variables: Mapping[str, VariableSpec], section: CollectionSection, styles: Mapping[str, Style]
) -> dict[str, VariableSpec]:
    """Return the variables with `has_classes` set if they are drawn by classes, or are masks with classes or flags."""
    masks = (variable.mask for variable in variables.values())
    classes = {mask.variable for mask in masks if mask is not None and not isinstance(mask.keep, ValueBounds)}
    marked = dict[str, VariableSpec]()
    for name, variable in variables.items():
        style_ids = section.variables[name].styles
        style = styles.get(style_ids[0]) if style_ids else style_for_name(name, styles)
        marked[name] = replace(variable, has_classes=name in classes or (style is not None and style.is_categorical))
    return marked
