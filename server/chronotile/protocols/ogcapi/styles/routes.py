"""`/ogcapi/styles` and `/ogcapi/collections/{collectionId}/styles`: lists, sheets, metadata and legends."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.http.respond import SHORT, known_etags, respond, respond_with_content
from chronotile.http.run import DOCUMENTS, run, services_of
from chronotile.pipeline.maps.legend import LEGEND_TYPES, draw_legend
from chronotile.protocols.common.openapi import BINARY, TEXT, ref
from chronotile.protocols.common.operation import Operation
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import format_of
from chronotile.protocols.ogcapi.block import (
    JSON_ALONE,
    DocumentContext,
    Json,
    describe,
    document_query,
    has_collections,
    respond_with,
    segments_in,
)
from chronotile.protocols.ogcapi.maps.responses import picture_fault
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.styles.documents import ALIASES, JSON, SHEETS, style_list, style_metadata, style_sheet
from chronotile.protocols.ogcapi.styles.params import OF_LEGEND, parse_legend

Write = Callable[[Mapping[str, str], DocumentContext], Json]


async def get_styles(request: Request) -> Response:
    """Return the styles of a collection or of the dataset."""
    return await _document(request, style_list)


async def get_metadata(request: Request) -> Response:
    """Return what is known of a style."""
    return await _document(request, style_metadata)


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
    known = known_etags(request)
    payload = await run(
        request,
        DOCUMENTS,
        partial(draw_legend, legend.request, legend.format, services, shape=legend.shape, known=known),
    )
    response = respond(payload)
    response.headers["Vary"] = "Accept"
    return response


async def _document(request: Request, write: Write) -> Response:
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
        get_styles,
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
        get_metadata,
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
