"""Lists of styles, their metadata and their sheets (OGC 20-009)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

import orjson

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import offered_collection
from chronotile.catalog.resolve_times import resolve_style
from chronotile.core.errors import UnknownPath, UnknownStyle
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.style import Style
from chronotile.pipeline.maps.legend import LEGEND_TYPES
from chronotile.pipeline.styling.write_style import style_members, style_yaml
from chronotile.protocols.common.links import link
from chronotile.protocols.common.sld import sld_document
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.maps.drawing import layer_with_style
from chronotile.protocols.ogcapi.maps.routes import REL_MAP


@dataclass(frozen=True, slots=True)
class KnownStyle:
    """A style, and a layer that has it."""

    style: Style
    """Of a collection as it has it; of the dataset as its file has it, which a layer may stretch over its values."""
    layer: Layer


def known_styles(catalogue: Catalogue) -> list[KnownStyle]:
    """Return the styles of all layers, each once."""
    found: dict[str, KnownStyle] = {}
    for layer in catalogue.layers:
        for style in layer.styles:
            found.setdefault(style.id, KnownStyle(catalogue.styles.get(style.id, style), layer))
    return list(found.values())


def styles_of(path: Mapping[str, str], catalogue: Catalogue) -> list[KnownStyle]:
    """Return those of the path's collection, the default first, or of the dataset.

    Raises:
        UnknownCollection: There is no such collection.
    """
    if "collectionId" not in path:
        return known_styles(catalogue)
    layer = offered_collection(catalogue, path["collectionId"]).drawn
    return [KnownStyle(style, layer) for style in layer.styles]


def style_of(path: Mapping[str, str], catalogue: Catalogue) -> KnownStyle:
    """Return the one that the path names, of a collection or of the dataset.

    Raises:
        UnknownCollection: There is no such collection.
        UnknownPath: There is no such style.
    """
    name = path["styleId"]
    if "collectionId" in path:
        layer = offered_collection(catalogue, path["collectionId"]).drawn
        try:
            return KnownStyle(resolve_style(layer, name), layer)
        except UnknownStyle as error:
            raise UnknownPath(error.message, locator="styleId") from error
    layer = layer_with_style(name, catalogue)
    return KnownStyle(catalogue.styles.get(name) or resolve_style(layer, name), layer)


JSON = "application/json"
REL_LEGEND = "http://www.opengis.net/def/rel/ogc/1.0/legend"
SHEETS: Mapping[str, str] = {
    "json": JSON,
    "yaml": "application/yaml",
    "sld10": "application/vnd.ogc.sld+xml;version=1.0",
    "sld11": "application/vnd.ogc.sld+xml;version=1.1",
}
"""Media types of sheets by the names that `f` takes."""
ALIASES: Mapping[str, str] = {
    "sld": "sld10",
    "application/vnd.ogc.sld+xml;version=1.0.0": "sld10",
    "application/vnd.ogc.sld+xml;version=1.1.0": "sld11",
    "text/yaml": "yaml",
    "application/x-yaml": "yaml",
}
SPECIFICATIONS: Mapping[str, tuple[str, str]] = {
    "json": ("chronotile's own, as JSON", "1"),
    "yaml": ("chronotile's own, as its files", "1"),
    "sld10": ("OGC Styled Layer Descriptor", "1.0.0"),
    "sld11": ("OGC Styled Layer Descriptor and Symbology Encoding", "1.1.0"),
}
"""Titles and versions of encodings."""
_WRITERS: Mapping[str, Callable[[KnownStyle], bytes]] = {
    "json": lambda known: orjson.dumps(style_members(known.style)),
    "yaml": lambda known: style_yaml(known.style).encode(),
    "sld10": lambda known: sld_document([(known.layer.id, replace(known.layer, styles=(known.style,)))], "1.0.0"),
    "sld11": lambda known: sld_document([(known.layer.id, replace(known.layer, styles=(known.style,)))], "1.1.0"),
}


def style_list(path: Mapping[str, str], context: DocumentContext) -> Json:
    """Return the styles of a collection or of the dataset; of a collection with its default.

    Raises:
        UnknownCollection: There is no such collection.
    """
    known = styles_of(path, context.catalogue)
    default = {"default": known[0].style.id} if "collectionId" in path else {}
    return {
        **default,
        "styles": [_item(path, each, context) for each in known],
        "links": [link("self", _url(path, context), JSON, "styles")],
    }


def style_metadata(path: Mapping[str, str], context: DocumentContext) -> Json:
    """Return what is known of a style.

    Raises:
        ChronotileError: A name is unknown.
    """
    known = style_of(path, context.catalogue)
    style, url = known.style, f"{_url(path, context)}/{quote(known.style.id)}"
    return {
        "id": style.id,
        "title": style.title,
        "scope": "style",
        "stylesheets": [
            {"title": title, "version": version, "native": name == "json", "link": _sheet_link(url, name)}
            for name, (title, version) in SPECIFICATIONS.items()
        ],
        "layers": [{"id": known.layer.id, "type": "coverage"}],
        "links": [
            link("self", f"{url}/metadata", JSON, f"metadata of {style.title}"),
            link("preview", f"{url}/map", MapFormat.PNG, f"map, {style.title}"),
            *_legends(url, style.title),
        ],
    }


def style_sheet(path: Mapping[str, str], name: str, catalogue: Catalogue) -> bytes:
    """Return a style in one of the encodings of `SHEETS`; flags have no place in SLD.

    Raises:
        ChronotileError: A name is unknown.
    """
    return _WRITERS[name](style_of(path, catalogue))


def _item(path: Mapping[str, str], known: KnownStyle, context: DocumentContext) -> Json:
    url = f"{_url(path, context)}/{quote(known.style.id)}"
    title = known.style.title
    links = [
        *(_sheet_link(url, name) for name in SHEETS),
        link("describedby", f"{url}/metadata", JSON, f"metadata of {title}"),
        link(REL_MAP, f"{url}/map", MapFormat.PNG, f"map, {title}"),
        *_legends(url, title),
    ]
    return {"id": known.style.id, "title": title, "links": links}


def _sheet_link(url: str, name: str) -> Json:
    return link("stylesheet", f"{url}?f={name}", SHEETS[name], SPECIFICATIONS[name][0])


def _legends(url: str, title: str) -> list[Json]:
    return [
        link(REL_LEGEND, f"{url}/legend?f={name}", media_type, f"legend of {title} as {name}")
        for name, media_type in LEGEND_TYPES.items()
    ]


def _url(path: Mapping[str, str], context: DocumentContext) -> str:
    collection = f"/collections/{quote(path['collectionId'])}" if "collectionId" in path else ""
    return f"{context.base}{collection}/styles"
