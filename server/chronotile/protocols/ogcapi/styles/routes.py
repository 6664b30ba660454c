"""`/ogcapi/styles` and `/ogcapi/collections/{collectionId}/styles`: lists, style sheets, metadata and legends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection, offered_collection
from chronotile.catalog.resolve_style import resolve_style
from chronotile.core.errors import UnknownPath, UnknownStyle, translate_error
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.request import LegendRequest
from chronotile.core.model.style import Style
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content, answer_payload
from chronotile.http.cache_headers import CACHE_STABLE
from chronotile.http.if_none_match import client_etags
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import DOCUMENTS
from chronotile.pipeline.maps.legend import LEGEND_TYPES, LegendFormat, draw_legend
from chronotile.pipeline.styling.legend_picture import LegendShape
from chronotile.pipeline.styling.write_style import style_members, style_yaml
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import BINARY, NUMBER, PAIR, TEXT, TRUTH, enum_of, list_of, object_of, ref
from chronotile.protocols.common.operation import Operation
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, format_of, names_of, whole
from chronotile.protocols.common.query.picture import (
    ANOMALY,
    DIFFERENCE,
    IS_HORIZONTAL,
    MAX_SIDE_PX,
    RAMP,
    REDUCER,
    REFERENCE,
    legend_request,
)
from chronotile.protocols.common.sld import sld_document
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.document_requests import DOCUMENT_PARAMETERS, document_query, respond_in_format
from chronotile.protocols.ogcapi.maps.block import REL_MAP
from chronotile.protocols.ogcapi.maps.drawing import RANGE_OF_TWO, layer_with_style, picture_fault
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.operation_parts import JSON_ALONE, describe, has_collections, shown_segments

WriteStyles = Callable[[Mapping[str, str], DocumentContext], Json]


@dataclass(frozen=True, slots=True)
class KnownStyle:
    """A style, and a layer that has it."""

    style: Style
    """For a collection its style; for the dataset the style of the file, before layers stretch it over their values."""
    layer: Layer


def known_styles(catalogue: Catalogue) -> list[KnownStyle]:
    """Return the styles of all layers, without repetitions."""
    styles: dict[str, KnownStyle] = {}
    for layer in catalogue.layers:
        for style in layer.styles:
            styles.setdefault(style.id, KnownStyle(catalogue.styles.get(style.id, style), layer))
    return list(styles.values())


def styles_of(path: Mapping[str, str], catalogue: Catalogue) -> list[KnownStyle]:
    """Return the styles of the path's collection, the default first, or of the dataset.

    Raises:
        UnknownCollection: The collection is unknown.
    """
    if "collectionId" not in path:
        return known_styles(catalogue)
    layer = offered_collection(catalogue, path["collectionId"]).drawn_layer
    return [KnownStyle(style, layer) for style in layer.styles]


def style_of(path: Mapping[str, str], catalogue: Catalogue) -> KnownStyle:
    """Return the style that the path names, in a collection or in the dataset.

    Raises:
        UnknownCollection: The collection is unknown.
        UnknownPath: The style is unknown.
    """
    name = path["styleId"]
    if "collectionId" in path:
        layer = offered_collection(catalogue, path["collectionId"]).drawn_layer
        with translate_error(UnknownStyle, UnknownPath, locator="styleId"):
            return KnownStyle(resolve_style(layer, name), layer)
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
"""Media types of style sheets by value of `f`."""
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
    "json": lambda known_style: orjson.dumps(style_members(known_style.style)),
    "yaml": lambda known_style: style_yaml(known_style.style).encode(),
    "sld10": lambda known_style: sld_document(
        [(known_style.layer.id, replace(known_style.layer, styles=(known_style.style,)))], "1.0.0"
    ),
    "sld11": lambda known_style: sld_document(
        [(known_style.layer.id, replace(known_style.layer, styles=(known_style.style,)))], "1.1.0"
    ),
}


def style_list(path: Mapping[str, str], context: DocumentContext) -> Json:
    """Return the styles of the dataset, or of a collection with its default style.

    Raises:
        UnknownCollection: The collection is unknown.
    """
    styles = styles_of(path, context.catalogue)
    default = {"default": styles[0].style.id} if "collectionId" in path else {}
    return {
        **default,
        "styles": [_item(path, style, context) for style in styles],
        "links": [link("self", _url(path, context), JSON, "styles")],
    }


def style_metadata(path: Mapping[str, str], context: DocumentContext) -> Json:
    """Return the metadata of a style.

    Raises:
        ChronotileError: A name is unknown.
    """
    known_style = style_of(path, context.catalogue)
    style, url = known_style.style, f"{_url(path, context)}/{quote(known_style.style.id)}"
    return {
        "id": style.id,
        "title": style.title,
        "scope": "style",
        "stylesheets": [
            {"title": title, "version": version, "native": name == "json", "link": _sheet_link(url, name)}
            for name, (title, version) in SPECIFICATIONS.items()
        ],
        "layers": [{"id": known_style.layer.id, "type": "coverage"}],
        "links": [
            link("self", f"{url}/metadata", JSON, f"metadata of {style.title}"),
            link("preview", f"{url}/map", MapFormat.PNG, f"map, {style.title}"),
            *_legends(url, style.title),
        ],
    }


def style_sheet(path: Mapping[str, str], name: str, catalogue: Catalogue) -> bytes:
    """Return a style in an encoding of `SHEETS`; SLD cannot express flags.

    Raises:
        ChronotileError: A name is unknown.
    """
    return _WRITERS[name](style_of(path, catalogue))


def _item(path: Mapping[str, str], known_style: KnownStyle, context: DocumentContext) -> Json:
    url = f"{_url(path, context)}/{quote(known_style.style.id)}"
    title = known_style.style.title
    links = [
        *(_sheet_link(url, name) for name in SHEETS),
        link("describedby", f"{url}/metadata", JSON, f"metadata of {title}"),
        link(REL_MAP, f"{url}/map", MapFormat.PNG, f"map, {title}"),
        *_legends(url, title),
    ]
    return {"id": known_style.style.id, "title": title, "links": links}


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


WIDTH = whole("width", "Size of the picture, in pixels", least=1, most=MAX_SIDE_PX)
HEIGHT = whole("height", "Size of the picture, in pixels", least=1, most=MAX_SIDE_PX)
ORIENTATION = code("orientation", "Orientation of the colours", IS_HORIZONTAL, default="vertical")
OF_LEGEND: tuple[Parameter[object], ...] = (
    *(RANGE_OF_TWO, RAMP, DIFFERENCE, ANOMALY, REFERENCE, REDUCER),
    *(WIDTH, HEIGHT, ORIENTATION),
)
"""Parameters in addition to `f`, `lang` (without effect) and `datetime` (changes only the title of an anomaly)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendQuery:
    """A requested legend."""

    request: LegendRequest
    format: LegendFormat
    shape: LegendShape


def parse_legend(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> LegendQuery:
    """Return the legend of a collection, or of a style of the dataset for the first layer with that style.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    query.check_names((*names_of((*OF_LEGEND, *DOCUMENT_PARAMETERS)), "datetime"))
    if "styleId" in path:
        known_style = style_of(path, catalogue)
        layer, style = known_style.layer, known_style.style.id
    else:
        layer, style = offered_collection(catalogue, path["collectionId"]).drawn_layer, ""
    name = negotiate_format(query, accept, {str(f): media_type for f, media_type in LEGEND_TYPES.items()})
    return LegendQuery(
        request=replace(legend_request(layer.id, query), style=style),
        format=next(f for f in LEGEND_TYPES if f == name),
        shape=LegendShape(
            is_horizontal=ORIENTATION.value(query), width=WIDTH.optional(query), height=HEIGHT.optional(query)
        ),
    )


async def get_sheet(request: Request) -> Response:
    """Return a style as SLD, or as YAML or JSON of Chronotile."""
    query = document_query(request)
    name = negotiate_format(query, request.headers.get("accept", ""), SHEETS, aliases=ALIASES)
    catalogue = services_of(request).catalogue
    body = await run(request, DOCUMENTS, partial(style_sheet, request.path_params, name, catalogue))
    response = answer_content(body, SHEETS[name], request, cache_control=CACHE_STABLE)
    response.headers["Vary"] = "Accept"
    return response


async def get_legend(request: Request) -> Response:
    """Return the legend of a style as picture or document."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    legend = parse_legend(request.path_params, query, request.headers.get("accept", ""), services.catalogue)
    draw = partial(
        draw_legend, legend.request, legend.format, services, shape=legend.shape, client_etags=client_etags(request)
    )
    response = answer_payload(await run(request, DOCUMENTS, draw))
    response.headers["Vary"] = "Accept"
    return response


async def get_document(write: WriteStyles, request: Request) -> Response:
    """Return a list of styles, or the metadata of a style."""
    query = document_query(request)
    path = request.path_params
    return await respond_in_format(
        request, query, lambda context, _: orjson.dumps(write(path, context)), {"json": JSON}
    )


LEGENDS = {**dict.fromkeys(LEGEND_TYPES.values(), BINARY), JSON: ref("StyleLegend")}
SHEET_TYPES = {
    **dict.fromkeys(SHEETS.values(), TEXT),
    **dict.fromkeys((SHEETS["json"], SHEETS["yaml"]), ref("StyleSheet")),  # JSON and YAML have the same members
}
described = partial(describe, tag="Styles", faults=picture_fault, is_offered=has_collections)


def _legend(path: str, name: str) -> Operation:
    return described(
        f"{path}/legend",
        get_legend,
        name,
        "The legend of a style",
        parameters=[*shown_segments(path), *OF_LEGEND, format_of(list(LEGEND_TYPES))],
        answers=LEGENDS,
    )


def _origin_operations(origin: str, name: str) -> Iterator[Operation]:
    path = f"{origin}/styles/{{styleId}}"
    yield described(
        f"{origin}/styles",
        partial(get_document, style_list),
        f"styles.{name}.getStyles",
        "Styles, the default of a collection first",
        parameters=[*shown_segments(origin), *JSON_ALONE],
        answers={JSON: ref("StyleList")},
    )
    yield described(
        path,
        get_sheet,
        f"styles.{name}.getStyle",
        "A style as SLD, or as the server's own JSON or YAML",
        parameters=[*shown_segments(path), format_of(list(SHEETS))],
        answers=SHEET_TYPES,
    )
    yield described(
        f"{path}/metadata",
        partial(get_document, style_metadata),
        f"styles.{name}.getStyleMetadata",
        "Description of a style",
        parameters=[*shown_segments(path), *JSON_ALONE],
        answers={JSON: ref("StyleMetadata")},
    )
    yield _legend(path, f"styles.{name}.getStyleLegend")


operations = (
    *_origin_operations("", "dataset"),
    *_origin_operations("/collections/{collectionId}", "collection"),
    _legend("/collections/{collectionId}", "styles.collection.getLegend"),
)


# The building block of OGC API - Styles - Part 1: Core (OGC 20-009, a draft).

REL_STYLES = "http://www.opengis.net/def/rel/ogc/1.0/styles"


def landing_links(context: DocumentContext) -> Sequence[Json]:
    """Return a link to the list of all styles."""
    return [link(REL_STYLES, f"{context.base}/styles", JSON, "styles")]


def collection_links(offered: OfferedCollection, context: DocumentContext) -> Sequence[Json]:
    """Return links to the styles and the legend of a collection."""
    base = f"{context.base}/collections/{quote(offered.id)}"
    return [
        link(REL_STYLES, f"{base}/styles", JSON, "styles"),
        link(REL_LEGEND, f"{base}/legend", MapFormat.PNG, "legend"),
    ]


# Schemas of the documents for OpenAPI 3.0.

_CLASS = object_of({"value": NUMBER}, {"colour": TEXT, "color": TEXT, "label": TEXT})
SCHEMAS: Mapping[str, Json] = {
    "StyleList": object_of(
        {
            "styles": list_of(object_of({"id": TEXT, "title": TEXT, "links": list_of(ref("Link"))})),
            "links": list_of(ref("Link")),
        },
        {"default": TEXT},
    ),
    "StyleMetadata": object_of(
        {
            "id": TEXT,
            "title": TEXT,
            "stylesheets": list_of(object_of({"title": TEXT, "version": TEXT, "native": TRUTH, "link": ref("Link")})),
            "links": list_of(ref("Link")),
        },
        {"scope": enum_of(["style"]), "layers": list_of(object_of({"id": TEXT, "type": TEXT}))},
    ),
    "StyleSheet": object_of(
        {"title": TEXT, "nodata": TEXT},
        {
            "range": PAIR,
            "ramp": {"type": "object", "additionalProperties": TEXT},
            "classes": list_of(_CLASS),
            **dict.fromkeys(("below", "above"), TEXT),
            "flags": {"type": "object", "additionalProperties": TEXT},
            "labels": list_of(NUMBER),
        },
    ),
    "StyleLegend": object_of(
        {
            **dict.fromkeys(("layer", "style", "title", "units"), TEXT),
            "type": enum_of(["ramp", "classes"]),
            "range": PAIR,
        },
        {
            "stops": list_of(object_of({"value": NUMBER, "color": TEXT})),
            **dict.fromkeys(("below", "above"), TEXT),
            "labels": list_of(object_of({"value": NUMBER, "text": TEXT})),
            "classes": list_of(_CLASS),
            "nodata": TEXT,
            "flags": list_of(object_of({"name": TEXT, "color": TEXT})),
        },
    ),
}

block = BuildingBlock(
    operations=operations,
    conformance=tuple(
        f"http://www.opengis.net/spec/ogcapi-styles-1/1.0/conf/{name}" for name in ("core", "sld-10", "sld-11")
    ),
    schemas=SCHEMAS,
    landing_links=landing_links,
    collection_links=collection_links,
)
