"""Capabilities documents of WMTS (WMTS 1.0.0 §7.1)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from chronotile.core.model.collection import Layer
from chronotile.core.model.space.tiles import TileMatrix, TileMatrixSet, TileRange
from chronotile.pipeline.tile_ranges import box_in_set, is_cylindrical
from chronotile.protocols.common.capabilities import layer_entries as entries
from chronotile.protocols.common.capabilities.crs_names import urn
from chronotile.protocols.common.capabilities.time_extent import LAYER_BYTES, most_listed_times
from chronotile.protocols.common.capabilities.update_sequence import update_sequence
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.crs import in_axis_order
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.maps.wmts import params
from chronotile.protocols.maps.wmts.feature_info import ADVERTISED_INFO, INFO_OF_VIEWERS

LIMIT_BYTES = 180
"""Size of the limits of one matrix in the document."""

ANNEX_E_OF_ANOTHER_CRS = "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible"
"""Annex E defines this scale set for EPSG:3857 of version 6.18.3, not for the CRS name of today's clients."""

TEMPLATE = "maps/wmts/templates/capabilities_1_0_0.xml"


@dataclass(frozen=True, slots=True)
class MatrixLimits:
    """A tile matrix with the rows and columns that a layer covers."""

    matrix: TileMatrix
    range: TileRange


@dataclass(frozen=True, slots=True)
class SetLink:
    """A tile matrix set of a layer, with the limits that the schema can express, or without limits."""

    name: str
    limits: tuple[MatrixLimits, ...]


@dataclass(frozen=True, slots=True)
class NativeBox:
    """A layer's box in a CRS; corners in the axis order of the CRS."""

    urn: str
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TileLayer:
    """A layer with its tile matrix sets."""

    entry: entries.LayerEntry
    links: tuple[SetLink, ...]
    boxes: tuple[NativeBox, ...]
    default_time: str | None


@dataclass(frozen=True, slots=True)
class Theme:
    """A collection with its layers."""

    entry: entries.CollectionEntry
    layers: tuple[TileLayer, ...]


def capabilities(
    context: entries.CapabilitiesContext, sections: Collection[params.CapabilitiesSection], *, path: str
) -> bytes:
    """Return the capabilities document; `path` is the path of the service, below the base URL."""
    catalogue = context.services.catalogue
    offered, formats = params.offered_sets(catalogue), params.offered_formats(catalogue)
    are_few = len(entries.advertised_layers(context)) <= params.LIMITED_LAYERS
    needs_layers = not {"Contents", "Themes"}.isdisjoint(sections)
    query = {"layers": context.layers and ",".join(sorted(context.layers)), "TIME": context.time_text}
    part = urlencode({name: value for name, value in query.items() if value is not None})
    return render_xml(
        TEMPLATE,
        service=catalogue.service,
        title=text_in(catalogue.service.title, context.language),
        abstract=text_in(catalogue.service.abstract, context.language),
        base=context.base,
        url=f"{context.base}{path}",
        part=part and f"?{part}",
        update_sequence=update_sequence(context.services),
        version=params.VERSION,
        formats=formats,
        # If layers are many, each lists one format, and infos only for viewers and without templates.
        templates=formats if are_few else formats[:1],
        info_formats=ADVERTISED_INFO if are_few else dict.fromkeys(INFO_OF_VIEWERS),
        all_sections=params.SECTIONS,
        sections=sections,
        is_whole=set(sections) == set(params.SECTIONS),
        themes=tuple(_themes(context, offered)) if needs_layers else (),
        tile_matrix_sets=offered,
        urn=urn,
        scale_set=_scale_set,
        # WMTS 1.0.0 Table 10: the corner is in the axis order of the CRS.
        corner=lambda set_, matrix: in_axis_order((matrix.left, matrix.top), set_.crs),
    )


def _themes(context: entries.CapabilitiesContext, offered: tuple[TileMatrixSet, ...]) -> Iterator[Theme]:
    count = len(entries.advertised_layers(context))
    is_limited = count <= params.LIMITED_LAYERS
    limits_bytes = LIMIT_BYTES * sum(len(set_.matrices) for set_ in offered) if is_limited else 0
    times = most_listed_times(count, layer_bytes=LAYER_BYTES + limits_bytes)
    for collection in entries.collection_entries(context, times=times):
        layers = tuple(_tile_layer(entry, offered, is_limited=is_limited) for entry in collection.layers)
        with_tiles = tuple(layer for layer in layers if layer.links)
        if with_tiles:
            yield Theme(collection, with_tiles)


def _tile_layer(entry: entries.LayerEntry, offered: tuple[TileMatrixSet, ...], *, is_limited: bool) -> TileLayer:
    links = tuple(link for set_ in offered for link in _links(entry.layer, set_, is_limited=is_limited))
    default = None if entry.time is None else entry.time.default or entry.time.newest or entry.time.first
    boxes = tuple(box for set_ in offered for box in _boxes(entry.layer, set_))
    return TileLayer(entry, links, tuple(dict.fromkeys(boxes)), default)


def _boxes(layer: Layer, tile_matrix_set: TileMatrixSet) -> Iterator[NativeBox]:
    """Yield the box in a CRS that is not cylindrical: GDAL cannot derive it from longitudes near a pole."""
    crs = tile_matrix_set.crs
    name, box = urn(crs), box_in_set(layer.main_variable.grid, tile_matrix_set)
    if name is not None and box is not None and not is_cylindrical(crs):
        edges = in_axis_order([round(edge, entries.DECIMALS) for edge in box], crs)
        yield NativeBox(name, edges[:2], edges[2:])


def _links(layer: Layer, tile_matrix_set: TileMatrixSet, *, is_limited: bool) -> Iterator[SetLink]:
    """Yield one link; none if the layer has no tile in the set."""
    limits = params.advertised_limits(layer, tile_matrix_set) if is_limited else ()
    if box_in_set(layer.main_variable.grid, tile_matrix_set) is not None:
        yield SetLink(tile_matrix_set.id, tuple(MatrixLimits(*matrix_limits) for matrix_limits in limits))


def _scale_set(tile_matrix_set: TileMatrixSet) -> str | None:
    # The well-known scale set (Annex E) of a set whose CRS is also that of Annex E.
    scale_set = tile_matrix_set.well_known_scale_set
    return None if scale_set == ANNEX_E_OF_ANOTHER_CRS else scale_set
