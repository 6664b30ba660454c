"""Links from a collection to what is not OGC API: WMS, WMTS, tiles for web maps, series, viewer, licence, metadata."""

from collections.abc import Iterator
from urllib.parse import quote

from chronotile.catalog.offered import Offered
from chronotile.model.collection import Layer
from chronotile.protocols.common.item_links import ATOM, feed_path
from chronotile.protocols.ogcapi.block import Link
from chronotile.protocols.ogcapi.documents.collection_context import CollectionContext

SERVICE_TYPES = "http://www.opengis.net/def/serviceType/ogc"
WMS_XML = "text/xml"
WMTS_XML = "application/xml"
JSON = "application/json"
HTML = "text/html"


def service_links(offered: Offered, context: CollectionContext) -> Iterator[Link]:
    """Yield the links of one collection; of a layer those to it, of a configured collection those to its layers."""
    document_context = context.document
    up = f"{document_context.base}/collections"
    yield Link(rel="collection", href=f"{up}/{quote(offered.id)}", type=JSON, title="This collection")
    # Not `data`: GDAL takes every document with such a link to JSON for a landing page.
    yield Link(rel="up", href=up, type=JSON, title="All collections")
    yield from access_links(offered, context)
    if context.services.reader_caches.has_items:
        feed = f"{document_context.root}{feed_path(offered.collection.id)}"
        yield Link(rel="alternate", href=feed, type=ATOM, title="The newest items as an Atom feed")


def access_links(offered: Offered, context: CollectionContext) -> Iterator[Link]:
    """Yield the links to services, layers, licence and metadata alone."""
    yield from _services(offered, context)
    for layer in offered.layers:
        yield from _of_layer(layer, context)
    if offered.license and offered.license.startswith(("https://", "http://")):
        yield Link(rel="license", href=offered.license, type=HTML, title="Licence")
    for record in offered.collection.metadata:
        yield Link(rel="describedby", href=record.url, type=record.format, title="Metadata record")


def _services(offered: Offered, context: CollectionContext) -> Iterator[Link]:
    service, root = context.document.catalogue.service, context.document.root
    names = ",".join(quote(layer.id) for layer in offered.layers)
    for kind, paths, media_type in (("WMS", service.wms_paths, WMS_XML), ("WMTS", service.wmts_paths, WMTS_XML)):
        for path in paths[:1]:
            href = f"{root}{path}?SERVICE={kind}&REQUEST=GetCapabilities&layers={names}"
            yield Link(rel=f"{SERVICE_TYPES}/{kind.lower()}", href=href, type=media_type, title=f"{kind} capabilities")


def _of_layer(layer: Layer, context: CollectionContext) -> Iterator[Link]:
    root, name = context.document.root, quote(layer.id)
    for each in context.document.catalogue.tile_matrix_sets[:1]:
        href = f"{root}/tiles/{name}/{quote(each.id)}/tilejson.json"
        yield Link(rel="tilejson", href=href, type=JSON, title=f"{layer.id}: TileJSON of XYZ tiles")
    if not layer.is_composite:
        dated = "&datetime={datetime}" if len(layer.times) else ""
        href = f"{root}/timeseries/{name}/point?lon={{lon}}&lat={{lat}}{dated}"
        yield Link(rel="series", href=href, type=JSON, title=f"{layer.id}: values of a place", is_template=True)
    if len(layer.times):
        yield Link(rel="times", href=f"{root}/layers/{name}/times", type=JSON, title=f"{layer.id}: all times")
    if context.has_viewer:
        href = f"{root}/viewer/?layer={name}"
        yield Link(rel="viewer", href=href, type=HTML, title=f"{layer.id}: viewer")
