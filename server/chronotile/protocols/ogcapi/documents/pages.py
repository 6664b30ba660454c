"""HTML pages of the landing page, conformance, collections and OpenAPI."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from chronotile.catalog.offered import OfferedCollection, offered_collection
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_day, format_instant
from chronotile.core.model.time.steps import DEKAD_STEP, step_of
from chronotile.core.model.types import Json
from chronotile.pipeline.encoders.coverage.cog import has_geo_tags
from chronotile.protocols.common.extent import wrapped_box
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.operations_page import OperationsPage, PageLink, operations_page
from chronotile.protocols.common.preview import preview_grid, preview_href
from chronotile.protocols.ogcapi.document_pages import document_page
from chronotile.protocols.ogcapi.documents.collection_parts import CollectionContext

PageName = Literal["landing", "conformance", "collection", "openapi"]

MAP_WIDTH = 800
"""Width in pixels of the example map, which is narrower if its height would exceed four thirds of this width."""
EXAMPLE_CELLS = 100
"""Approximate number of cells along a side of the example coverage."""


def page_of(page: PageName, document: Json, context: CollectionContext) -> bytes:
    """Return a document as HTML."""
    document_context = context.document
    if page == "openapi":
        return _openapi_page(document, has_viewer=context.has_viewer)
    if page == "landing":
        title = f"{document['title']}: OGC API"
        return document_page(title, document, document_context, template=page, lead=document["description"])
    if page == "conformance":
        return document_page("Conformance", document, document_context, template=page)
    return _collection_page(document, context)


def _openapi_page(document: Json, *, has_viewer: bool) -> bytes:
    page = OperationsPage(
        title=f"{document['info']['title']}, OGC API",
        version="3.0",
        description="?f=json",
        server="../ogcapi",
        viewer="../viewer" if has_viewer else None,
        related=(
            PageLink(title="Start", href="../"),
            PageLink(title="OGC API", href="../ogcapi?f=html"),
            PageLink(title="The same as OpenAPI 3.0", href="?f=json"),
            PageLink(title="API reference of the other services", href="../docs"),
        ),
    )
    return operations_page(document, page)


def _collection_page(document: Json, context: CollectionContext) -> bytes:
    above = PageLink(title="Collections", href=f"{context.document.base}/collections?f=html")
    offered = offered_collection(context.document.catalogue, document["id"])
    explored = list(explored_layers(offered, context.document.language))
    return document_page(
        document["title"],
        document,
        context.document,
        above=[above],
        template="collection",
        lead=document["description"],
        explored=explored,
        example=next((layer for layer in explored if layer.has_values), None),
        has_values=offered.has_values,
        is_dated=len(offered.times) > 0,
        has_chart=any(len(layer.times) > 1 for layer in offered.fields.values()),
        root="../../",
        has_viewer=context.has_viewer,
        grid=offered.main_field.main_variable.grid if "grid" in document["extent"]["spatial"] else None,
        times=_times(offered.times),
        fields=list(_fields(offered, context.document.language)),
        examples=list(_examples(offered, document, context)),
    )


def _times(times: TimeDomain) -> str:
    """Return the times in words; without their number if they are too many to be listed in the document."""
    if len(times) == 0:
        return ""
    write = format_day if times.has_day_precision else format_instant
    first, last, step = write(times.instants[0]), write(times.instants[-1]), step_of(times)
    if len(times) == 1:
        return first
    count_text = f"{len(times):,} {'dekads' if step == DEKAD_STEP else 'times'}"
    return f"{first} to {last}, {count_text}{'' if step in {None, DEKAD_STEP} else f', every {step}'}"


def _fields(offered: OfferedCollection, language: str) -> Iterator[dict[str, str]]:
    for name, layer in offered.fields.items():
        units = layer.main_variable.encoding.units or ""
        yield {"name": name, "title": text_in(layer.title, language) or name, "units": units, "layer": layer.id}


def _examples(offered: OfferedCollection, document: Json, context: CollectionContext) -> Iterator[PageLink]:
    """Yield example URLs around the middle of the data, from all building blocks."""
    base = f"{context.document.base}/collections/{quote(offered.id)}"
    relations = {link["rel"].rpartition("/")[2] for link in document["links"]}
    if "map" in relations:
        width = min(MAP_WIDTH, preview_grid(offered.drawn_layer, 2 * MAP_WIDTH).width)
        yield PageLink(title="Map", href=f"{base}/map?width={width}&f=png")
    if not offered.has_values:
        return
    grid = offered.main_field.main_variable.grid
    x, y = grid.middle()
    if "position" in document.get("data_queries", {}):
        yield PageLink(title="Time series of a place", href=f"{base}/position?coords=POINT({x:.5f}%20{y:.5f})")
    if "coverage" in relations:
        box = ",".join(f"{edge:.5f}" for edge in wrapped_box(grid.middle_part(EXAMPLE_CELLS // 2)))
        temporal = document["extent"].get("temporal")
        time = f"&datetime={temporal['interval'][0][1]}" if temporal else ""
        title, name = ("GeoTIFF", "GTiff") if has_geo_tags(grid.crs) else ("NetCDF", "NetCDF")
        yield PageLink(title=f"Values of an area as {title}", href=f"{base}/coverage?bbox={box}{time}&f={name}")


# Map and chart on the page of a collection.

WIDTH = 720
"""Width of the picture in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """A layer on the page of its collection; URLs are relative to the landing page."""

    id: str
    title: str
    units: str
    picture: str
    width: int
    height: int
    crs: str
    bbox: str
    """Box of the picture in its CRS."""
    lon: str
    lat: str
    """Latitude of the point in the middle."""
    has_values: bool
    """Whether the layer has a chart; a composite has none."""


def explored_layers(offered: OfferedCollection, language: str) -> Iterator[Explored]:
    """Yield the drawn layer, then other layers with values, without repetitions."""
    layers = {layer.id: layer for layer in (offered.drawn_layer, *offered.fields.values())}
    for layer in layers.values():
        grid, picture = layer.main_variable.grid, preview_grid(layer, WIDTH)
        lon, lat = grid.middle()
        units = "" if layer.is_composite else layer.main_variable.encoding.units or ""
        yield Explored(
            id=layer.id,
            title=text_in(layer.title, language) or layer.id,
            units="" if units == "1" else units,
            picture=preview_href(layer.id, WIDTH),
            width=picture.width,
            height=picture.height,
            crs=grid.crs.name,
            bbox=",".join(f"{edge:.10g}" for edge in picture.bbox),
            lon=f"{lon:.5f}",
            lat=f"{lat:.5f}",
            has_values=not layer.is_composite,
        )
