"""Parts of documents of collections: extents, links, and the context of a document."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.space.crs import CRS84, is_north_first
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DAY, format_instant
from chronotile.core.model.time.steps import DEKAD_DAYS, DEKAD_STEP, step_of
from chronotile.core.model.types import Json
from chronotile.core.xml_names import xml_name
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.pipeline.services import Services
from chronotile.protocols.common.extent import box_of_offered
from chronotile.protocols.common.links import ATOM, feed_path, link
from chronotile.protocols.common.query.crs import in_axis_order
from chronotile.protocols.ogcapi.block import DocumentContext

GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"


def spatial_extent(offered: OfferedCollection) -> Json:
    """Return the box in CRS84 and, for coverages, box and cells of the native grid."""
    extent: Json = {"bbox": [list(box_of_offered(offered))], "crs": CRS84.uri}
    return (
        {**extent, **_native_extent(offered.main_field.main_variable.grid.from_west)} if offered.has_values else extent
    )


def temporal_extent(times: TimeDomain, *, limit: int) -> Json | None:
    """Return the first and last instant of data and the list of times; `None` for data without time.

    `grid` lists them as in OGC 20-024: a regular step, or up to `limit` times with the bounds of periods if they fit.
    The non-standard member `step` marks dekads. `values` lists them as in OGC 19-086r6, dekads as three monthly series.
    """
    if len(times) == 0:
        return None
    step = step_of(times)
    first, last = (format_instant(times.instants[index]) for index in (0, -1))
    listed = format_instants(times.instants) if len(times) <= limit else []
    extent: Json = {
        "interval": [[first, last]],
        "trs": GREGORIAN,
        "values": _values(times, step) or listed or [f"{first}/{last}"],
    }
    if step not in {None, DEKAD_STEP}:
        return {**extent, "grid": {"cellsCount": len(times), "resolution": step, "firstCoordinate": first}}
    if not listed:
        return extent
    step_member = {} if step is None else {"step": step}
    bounds = _bounds(times, room=limit - len(times))
    return {**extent, "grid": {"cellsCount": len(times), **step_member, "coordinates": listed, **bounds}}


def _bounds(times: TimeDomain, *, room: int) -> Json:
    """Return the first and last instant of each period, if any period is longer than one day.

    A climatology has none: its bounds are the years of all times together, not a part of the time axis.
    """
    periods = np.stack([times.starts, times.ends], axis=1) if times.is_climatology else times.periods
    if len(times) * 2 > room or not bool((periods[:, 1] - periods[:, 0] > DAY).any()):
        return {}
    bounds = zip(format_instants(periods[:, 0]), format_instants(periods[:, 1]), strict=True)
    return {"boundsCoordinates": [list(pair) for pair in bounds]}


def _values(times: TimeDomain, step: str | None) -> list[str]:
    """Return repeating intervals: `R4/2020-01-01T00:00:00Z/P1M` means four times, one month apart."""
    if step is None:
        return []
    phases, period = (len(DEKAD_DAYS), "P1M") if step == DEKAD_STEP else (1, step)
    series = [times.instants[phase::phases] for phase in range(phases)]
    return [f"R{len(s)}/{format_instant(s[0])}/{period}" for s in series]


def _native_extent(grid: NativeGrid) -> Json:
    """Return axes in the order of the CRS, with cells from west to east and south to north if they follow the axes."""
    box = grid.bbox
    extent = {} if grid.crs == CRS84 else {"storageCrsBbox": [list(in_axis_order(box, grid.crs))]}
    if grid.transform.b != 0 or grid.transform.d != 0:
        return extent
    columns, rows = _cells(grid.width, grid.steps[0], box.xmin), _cells(grid.height, grid.steps[1], box.ymin)
    return {**extent, "grid": [rows, columns] if is_north_first(grid.crs) else [columns, rows]}


def _cells(count: int, step: float, edge: float) -> Json:
    half = step / 2
    return {"cellsCount": count, "resolution": step, "firstCoordinate": edge + half, "relativeBounds": [-half, half]}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionContext:
    """The subject of one document, in one language."""

    services: Services
    document: DocumentContext
    has_viewer: bool
    """Whether the viewer is served, so that documents can link to it."""


SERVICE_TYPES = "http://www.opengis.net/def/serviceType/ogc"
WMS_XML = "text/xml"
WMTS_XML = "application/xml"
JSON = "application/json"
HTML = "text/html"


def service_links(offered: OfferedCollection, context: CollectionContext) -> Iterator[Json]:
    """Yield the links of one collection: for a layer to itself, for a configured collection to its layers."""
    document_context = context.document
    up = f"{document_context.base}/collections"
    yield link("collection", f"{up}/{quote(offered.id)}", JSON, "This collection")
    # No relation `data`: GDAL takes every document with such a link to JSON for a landing page.
    yield link("up", up, JSON, "All collections")
    yield from access_links(offered, context)
    if context.services.reader_caches.has_items:
        feed = f"{document_context.root}{feed_path(offered.collection.id)}"
        yield link("alternate", feed, ATOM, "The newest items as an Atom feed")


def access_links(offered: OfferedCollection, context: CollectionContext) -> Iterator[Json]:
    """Yield only links to services, layers, licence and metadata."""
    yield from _services(offered, context)
    for layer in offered.layers:
        yield from _layer_links(layer, context)
    if offered.license and offered.license.startswith(("https://", "http://")):
        yield link("license", offered.license, HTML, "Licence")
    for record in offered.collection.metadata:
        yield link("describedby", record.url, record.format, "Metadata record")


def _services(offered: OfferedCollection, context: CollectionContext) -> Iterator[Json]:
    service, root = context.document.catalogue.service, context.document.root
    names = ",".join(quote(layer.id) for layer in offered.layers)
    for kind, paths, media_type in (("WMS", service.wms_paths, WMS_XML), ("WMTS", service.wmts_paths, WMTS_XML)):
        for path in paths[:1]:
            href = f"{root}{path}?SERVICE={kind}&REQUEST=GetCapabilities&layers={names}"
            yield link(f"{SERVICE_TYPES}/{kind.lower()}", href, media_type, f"{kind} capabilities")
    if offered.has_values:
        query = f"SERVICE=WCS&VERSION=2.0.1&REQUEST=DescribeCoverage&COVERAGEID={quote(xml_name(offered.id))}"
        yield link(f"{SERVICE_TYPES}/wcs", f"{root}/wcs?{query}", WMTS_XML, "The coverage of WCS")


def _layer_links(layer: Layer, context: CollectionContext) -> Iterator[Json]:
    root, name = context.document.root, quote(layer.id)
    for tile_matrix_set in context.document.catalogue.tile_matrix_sets[:1]:
        href = f"{root}/tiles/{name}/{quote(tile_matrix_set.id)}/tilejson.json"
        yield link("tilejson", href, JSON, f"{layer.id}: TileJSON of XYZ tiles")
    if not layer.is_composite:
        dated = "&datetime={datetime}" if len(layer.times) else ""
        href = f"{root}/timeseries/{name}/point?lon={{lon}}&lat={{lat}}{dated}"
        yield link("series", href, JSON, f"{layer.id}: values of a place", is_template=True)
    if len(layer.times):
        yield link("times", f"{root}/layers/{name}/times", JSON, f"{layer.id}: all times")
    if context.has_viewer:
        href = f"{root}/viewer/?layer={name}"
        yield link("viewer", href, HTML, f"{layer.id}: viewer")
