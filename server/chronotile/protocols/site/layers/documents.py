"""Layers and their times as JSON (docs/reference/layers-and-series.md)."""

import math
from collections.abc import Sequence
from urllib.parse import quote, urlencode

import numpy as np

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.resolve_times import default_index
from chronotile.core.errors import MissingTime
from chronotile.core.model.access import PUBLIC
from chronotile.core.model.collection import Layer
from chronotile.core.model.cube import CUBE_TYPE
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.style import Style
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import ONE_NS, format_instant
from chronotile.core.model.types import Instant, InstantArray, Json
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.pipeline.cube_tiles import has_cubes
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.pipeline.maps.animation import usual_format
from chronotile.pipeline.most_valid_times import clear_default
from chronotile.pipeline.revision import last_layer_revision
from chronotile.pipeline.valid_shares import Shares
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.extent import climatology_member, crossing_box, longitude_latitude_box
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.cursor import url_of_page
from chronotile.protocols.site.layers.layer_definition import LAYER_DEFINITION_TYPE


def layer_list(context: CapabilitiesContext) -> Json:
    """Return a short description of all layers, including advertised aliases, and their collections."""
    catalogue = context.services.catalogue
    offered = catalogue.offered_layers
    collections = [catalogue.collection(name) for name in dict.fromkeys(layer.collection for _name, layer in offered)]
    return {
        "layers": [layer_summary(name, layer, context) for name, layer in offered],
        "collections": [
            {"id": collection.id, "title": text_in(collection.title, context.language)} for collection in collections
        ],
    }


def layer_summary(name: str, layer: Layer, context: CapabilitiesContext) -> Json:
    """Return the short description of a layer, under one of its names.

    `revision` is the revision computed last: the files of the layer are not checked for changes.
    """
    return {
        "id": name,
        "title": text_in(layer.title, context.language),
        "collection": layer.collection,
        "variable": None if layer.is_composite else layer.main_variable.name,
        "units": None if layer.is_composite else layer.main_variable.encoding.units,
        "bbox": list(crossing_box(layer.main_variable.grid) or longitude_latitude_box(layer)),
        "attribution": layer.attribution,
        "styles": [{"id": style.id, "title": style.title} for style in layer.styles],
        "revision": last_layer_revision(layer, context.services),
        "times": _times_in_short(layer, context.services.clock()),
        **climatology_member(layer.times.climatology_span, is_climatology=layer.times.is_climatology),
        **({} if PUBLIC in layer.access.see else {"access": "private"}),
        **_full_turn(layer),
        **_clear_classes(layer, context),
        "links": _links(name, layer, context),
    }


def layer_whole(name: str, layer: Layer, context: CapabilitiesContext) -> Json:
    """Return the full description of a layer, under one of its names."""
    grid, services = layer.main_variable.grid, context.services
    collection = services.catalogue.collection(layer.collection)
    first = clear_default(services.catalogue.clear.get(layer.id) or layer, services)
    summary = layer_summary(name, layer, context)
    return {
        **summary,
        "times": {**summary["times"], "clear": None if first is None else format_instant(first)},
        "styles": [_style(style, f"{context.base}/tiles/{quote(name)}") for style in layer.styles],
        "abstract": text_in(layer.abstract, context.language) or None,
        "collection_title": text_in(collection.title, context.language),
        "keywords": list(layer.keywords),
        "license": layer.license,
        "aliases": [alias.name for alias in layer.aliases],
        "variables": [variable.name for variable in layer.variables],
        "crs": grid.crs.name,
        # Length of a cell's sides in CRS units: along a row, along a column.
        "resolution": [math.hypot(grid.transform.a, grid.transform.d), math.hypot(grid.transform.b, grid.transform.e)],
        "size": [grid.width, grid.height],
    }


def _full_turn(layer: Layer) -> Json:
    circle = None if layer.is_composite else layer.main_variable.encoding.circle
    return {} if circle is None else {"full_turn": circle}


def _clear_classes(layer: Layer, context: CapabilitiesContext) -> Json:
    """Return layer and classes that define clear pixels, and id and revision of the layer with only clear pixels.

    The list of classes is empty if values or flags define clear pixels.
    """
    services = context.services
    clear = services.catalogue.clear.get(layer.id)
    if clear is None or clear.mask is None:
        return {}
    collection = services.catalogue.collection(layer.collection)
    quality = next(
        other.id for other in collection.layers if other.content is collection.variables[clear.mask.variable]
    )
    revision = last_layer_revision(clear, services)
    values = list(clear.mask.keep) if isinstance(clear.mask.keep, tuple) else []
    return {"clear": {"layer": quality, "values": values, "masked": clear.id, "revision": revision}}


def times_page(page: TimeDomain, shares: Shares, *, total: int, next_url: str | None) -> Json:
    """Return one page of a layer's times, with fractions of valid pixels; a fraction is null until it is counted.

    The end of a day or period is the first instant after it; exact instants have none.
    """
    ends = np.where(page.ends - page.starts > ONE_NS, page.ends, np.datetime64("NaT", "ns"))
    return {
        "times": format_instants(page.instants),
        "ends": format_instants(ends),
        "valid_shares": shares.values,
        "valid_shares_pending": shares.pending,
        "total": total,
        "next": next_url,
    }


def next_page(
    instants: InstantArray, *, cursor: Instant | None, limit: int, path: str, query: Sequence[tuple[str, str]]
) -> tuple[InstantArray, str | None]:
    """Return the page that starts at `cursor`, and the URL of the next page; `None` if this is the last.

    Args:
        instants: All matching instants (time,), ascending.
        cursor: The earliest instant of the page; `None` for the first page.
        limit: Maximum length of the page.
        path: URL without a query.
        query: Parameters of the request, which the link repeats.
    """
    start = 0 if cursor is None else int(np.searchsorted(instants, cursor))
    page, rest = instants[start : start + limit], instants[start + limit :]
    if len(rest) == 0:
        return page, None
    return page, url_of_page(path, query, rest[0])


def _times_in_short(layer: Layer, now: Instant) -> Json:
    instants = layer.times.instants
    if len(instants) == 0:
        return {"first": None, "last": None, "count": 0, "default": None}
    try:
        default = format_instant(instants[default_index(layer, now)])
    except MissingTime:
        default = None
    first, last = format_instant(instants[0]), format_instant(instants[-1])
    return {"first": first, "last": last, "count": len(instants), "default": default}


def _style(style: Style, tiles: str) -> Json:
    legends = {kind: f"{tiles}/legend.{kind}?style={quote(style.id)}" for kind in ("png", "svg", "json")}
    low, high = style.range
    return {
        "id": style.id,
        "title": style.title,
        "range": None if style.is_categorical else [low, high],
        "legend": legends,
    }


def _links(name: str, layer: Layer, context: CapabilitiesContext) -> list[Json]:
    base, path = context.base, quote(name)
    catalogue: Catalogue = context.services.catalogue
    links = [
        link("self", f"{base}/layers/{path}", "application/json", "this layer"),
        link("times", f"{base}/layers/{path}/times", "application/json", "times"),
        *(
            link("tilejson", f"{base}/tiles/{path}/{tms.id}/tilejson.json", "application/json", f"tiles in {tms.id}")
            for tms in catalogue.tile_matrix_sets
        ),
        link("legend", f"{base}/tiles/{path}/legend.png", MapFormat.PNG, "legend"),
        *(
            link("qgis", f"{base}/layers/{path}.qlr", LAYER_DEFINITION_TYPE, "layer definition for QGIS")
            for _path in catalogue.service.wms_paths[:1]
        ),
        *(_capabilities("wms", where, base, "text/xml") for where in catalogue.service.wms_paths[:1]),
        *(_capabilities("wmts", where, base, "application/xml") for where in catalogue.service.wmts_paths[:1]),
        link("viewer", f"{base}/viewer/?layer={path}", "text/html", "map in the viewer"),
    ]
    if len(layer.times):
        href = f"{base}/animations/{path}.{{extension}}{{?bbox,width,datetime,step,fps}}"
        links.append(link("animation", href, usual_format(), "time-lapse", is_template=True))
    if has_cubes(layer):
        href = f"{base}/cubes/{path}/{{tms}}/{{z}}/{{x}}/{{y}}.ctc"
        links.append(link("cubes", href, CUBE_TYPE, "all dates of a tile as numbers", is_template=True))
    if not layer.is_composite:
        if has_store(layer):
            links.append(link("zarr", f"{base}/zarr/{path}", "application/json", "Zarr store for xarray"))
        href = f"{base}/timeseries/{path}/point{{?lon,lat,datetime}}"
        links.append(link("series", href, "application/json", "values of a point", is_template=True))
    return links


def _capabilities(service: str, where: str, base: str, media_type: str) -> Json:
    query = urlencode({"SERVICE": service.upper(), "REQUEST": "GetCapabilities"})
    return link(service, f"{base}{where}?{query}", media_type, f"capabilities of {service.upper()}")
