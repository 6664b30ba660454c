"""`/ogcapi/styles` and `/ogcapi/collections/{collectionId}/styles`: lists, sheets, metadata and legends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collection
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.request import LegendRequest
from chronotile.http.respond import SHORT, known_etags, respond, respond_with_content
from chronotile.http.run import DOCUMENTS, run, services_of
from chronotile.pipeline.maps.legend import LEGEND_TYPES, LegendFormat, draw_legend
from chronotile.pipeline.styling.legend_picture import LegendShape
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import (
    BINARY,
    NUMBER,
    PAIR,
    TEXT,
    TRUTH,
    Json,
    enum_of,
    list_of,
    object_of,
    ref,
)
from chronotile.protocols.common.operation import Operation
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, format_of, names_of, whole
from chronotile.protocols.common.query.picture import (
    DIFFERENCE,
    IS_HORIZONTAL,
    MAX_SIDE_PX,
    RAMP,
    REDUCER,
    legend_request,
)
from chronotile.protocols.ogcapi.block import (
    JSON_ALONE,
    OF_DOCUMENTS,
    BuildingBlock,
    DocumentContext,
    describe,
    document_query,
    has_collections,
    respond_with,
    segments_in,
)
from chronotile.protocols.ogcapi.maps.drawing import RANGE_OF_TWO, picture_fault
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.styles.documents import (
    ALIASES,
    JSON,
    REL_LEGEND,
    SHEETS,
    style_list,
    style_metadata,
    style_of,
    style_sheet,
)

Write = Callable[[Mapping[str, str], DocumentContext], Json]
WIDTH = whole("width", "Size of the picture, in pixels", least=1, most=MAX_SIDE_PX)
HEIGHT = whole("height", "Size of the picture, in pixels", least=1, most=MAX_SIDE_PX)
ORIENTATION = code("orientation", "Orientation of the colours", IS_HORIZONTAL, default="vertical")
OF_LEGEND: tuple[Parameter[object], ...] = (RANGE_OF_TWO, RAMP, DIFFERENCE, REDUCER, WIDTH, HEIGHT, ORIENTATION)
"""Beside `f`, and `lang` and `datetime`, which change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendQuery:
    """A legend as it is requested."""

    request: LegendRequest
    format: LegendFormat
    shape: LegendShape


def parse_legend(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> LegendQuery:
    """Return the legend of a collection, or of a style of the dataset on the first layer that has it.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    query.check_names((*names_of((*OF_LEGEND, *OF_DOCUMENTS)), "datetime"))
    if "styleId" in path:
        known = style_of(path, catalogue)
        layer, style = known.layer, known.style.id
    else:
        layer, style = offered_collection(catalogue, path["collectionId"]).drawn, ""
    name = negotiate_format(query, accept, {str(each): media_type for each, media_type in LEGEND_TYPES.items()})
    return LegendQuery(
        request=replace(legend_request(layer.id, query), style=style),
        format=next(each for each in LEGEND_TYPES if each == name),
        shape=LegendShape(is_horizontal=ORIENTATION.of(query), width=WIDTH.given(query), height=HEIGHT.given(query)),
    )


async def get_sheet(request: Request) -> Response:
    """Return a style as SLD, or as our own YAML or JSON."""
    query = document_query(request)
    name = negotiate_format(query, request.headers.get("accept", ""), SHEETS, aliases=ALIASES)
    catalogue = services_of(request).catalogue
    body = await run(request, DOCUMENTS, partial(style_sheet, request.path_params, name, catalogue))
    response = respond_with_content(body, SHEETS[name], request, cache_control=SHORT)
    response.headers["Vary"] = "Accept"
    return response


async def get_legend(request: Request) -> Response:
    """Return the legend of a style as picture or document."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    legend = parse_legend(request.path_params, query, request.headers.get("accept", ""), services.catalogue)
    draw = partial(draw_legend, legend.request, legend.format, services, shape=legend.shape, known=known_etags(request))
    response = respond(await run(request, DOCUMENTS, draw))
    response.headers["Vary"] = "Accept"
    return response


async def get_document(write: Write, request: Request) -> Response:
    """Return a list of styles, or what is known of one."""
    query = document_query(request)
    path = request.path_params
    return await respond_with(request, query, lambda context, _: orjson.dumps(write(path, context)), {"json": JSON})


LEGENDS = {**dict.fromkeys(LEGEND_TYPES.values(), BINARY), JSON: ref("StyleLegend")}
SHEET_TYPES = {
    **dict.fromkeys(SHEETS.values(), TEXT),
    **dict.fromkeys((SHEETS["json"], SHEETS["yaml"]), ref("StyleSheet")),  # which have the same members
}
described = partial(describe, tag="Styles", faults=picture_fault, is_offered=has_collections)


def _legend(path: str, name: str) -> Operation:
    return described(
        f"{path}/legend",
        get_legend,
        name,
        "The legend of a style",
        parameters=[*segments_in(path), *OF_LEGEND, format_of(list(LEGEND_TYPES))],
        answers=LEGENDS,
    )


def _of_origin(origin: str, name: str) -> Iterator[Operation]:
    path = f"{origin}/styles/{{styleId}}"
    yield described(
        f"{origin}/styles",
        partial(get_document, style_list),
        f"styles.{name}.getStyles",
        "Styles, the default of a collection first",
        parameters=[*segments_in(origin), *JSON_ALONE],
        answers={JSON: ref("StyleList")},
    )
    yield described(
        path,
        get_sheet,
        f"styles.{name}.getStyle",
        "A style as SLD, or as the server's own JSON or YAML",
        parameters=[*segments_in(path), format_of(list(SHEETS))],
        answers=SHEET_TYPES,
    )
    yield described(
        f"{path}/metadata",
        partial(get_document, style_metadata),
        f"styles.{name}.getStyleMetadata",
        "Description of a style",
        parameters=[*segments_in(path), *JSON_ALONE],
        answers={JSON: ref("StyleMetadata")},
    )
    yield _legend(path, f"styles.{name}.getStyleLegend")


operations = (
    *_of_origin("", "dataset"),
    *_of_origin("/collections/{collectionId}", "collection"),
    _legend("/collections/{collectionId}", "styles.collection.getLegend"),
)


# What styles bring to the tree (OGC API - Styles - Part 1: Core, OGC 20-009, a draft).

REL_STYLES = "http://www.opengis.net/def/rel/ogc/1.0/styles"


def landing_links(context: DocumentContext) -> Sequence[Json]:
    """Return the list of all styles."""
    return [link(REL_STYLES, f"{context.base}/styles", JSON, "styles")]


def collection_links(offered: Offered, context: DocumentContext) -> Sequence[Json]:
    """Return the styles and the legend of a collection."""
    base = f"{context.base}/collections/{quote(offered.id)}"
    return [
        link(REL_STYLES, f"{base}/styles", JSON, "styles"),
        link(REL_LEGEND, f"{base}/legend", MapFormat.PNG, "legend"),
    ]


# The documents as OpenAPI 3.0 has them.

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
