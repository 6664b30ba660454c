"""What is served, as capabilities (WMTS 1.0.0 §7.1)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from chronotile.model.collection import Layer
from chronotile.model.tiles import TileMatrix, TileMatrixSet, TileRange
from chronotile.protocols.common.axis_order import in_axis_order
from chronotile.protocols.common.crs_names import urn
from chronotile.protocols.common.layer_entries import CollectionEntry, LayerEntry, Telling, collection_entries
from chronotile.protocols.common.texts import text_in
from chronotile.protocols.common.tile_ranges import native_matrix
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wmts.feature_info import ADVERTISED_INFO
from chronotile.protocols.wmts.limits import tile_limits
from chronotile.protocols.wmts.params import FORMATS, SECTIONS, VERSION, Section, advertised_default

OVERZOOM = 2
"""Matrices finer than the layer's own pixels that are advertised: clients take the finest for its resolution."""

TEMPLATE = "wmts/templates/capabilities_1_0_0.xml"


@dataclass(frozen=True, slots=True)
class MatrixLimits:
    """A tile matrix with the rows and columns of a layer in it."""

    matrix: TileMatrix
    range: TileRange


@dataclass(frozen=True, slots=True)
class SetLink:
    """A tile matrix set that a layer has tiles in, with those limits that the schema can express."""

    name: str
    limits: tuple[MatrixLimits, ...]


@dataclass(frozen=True, slots=True)
class TileLayer:
    """A layer with its tile matrix sets."""

    entry: LayerEntry
    links: tuple[SetLink, ...]
    default_time: str | None


@dataclass(frozen=True, slots=True)
class Theme:
    """A collection with its layers."""

    entry: CollectionEntry
    layers: tuple[TileLayer, ...]


def capabilities(telling: Telling, sections: Collection[Section], *, path: str) -> bytes:
    """Return the capabilities document; `path` is that of the service, under the base URL."""
    catalogue = telling.services.catalogue
    offered = tuple(each for each in catalogue.tile_matrix_sets if urn(each.crs) is not None)
    return render_xml(
        TEMPLATE,
        service=catalogue.service,
        title=text_in(catalogue.service.title, telling.language),
        abstract=text_in(catalogue.service.abstract, telling.language),
        base=telling.base,
        url=f"{telling.base}{path}",
        version=VERSION,
        formats=FORMATS,
        info_formats=ADVERTISED_INFO,
        all_sections=SECTIONS,
        sections=sections,
        themes=tuple(_themes(telling, offered)),
        tile_matrix_sets=offered,
        urn=urn,
        corner=_corner,
    )


def _themes(telling: Telling, offered: tuple[TileMatrixSet, ...]) -> Iterator[Theme]:
    for collection in collection_entries(telling):
        layers = tuple(_tile_layer(entry, offered) for entry in collection.layers)
        with_tiles = tuple(layer for layer in layers if layer.links)
        if with_tiles:
            yield Theme(collection, with_tiles)


def _tile_layer(entry: LayerEntry, offered: tuple[TileMatrixSet, ...]) -> TileLayer:
    links = tuple(link for each in offered for link in _links(entry.layer, each))
    return TileLayer(entry, links, None if entry.time is None else advertised_default(entry.time))


def _links(layer: Layer, tile_matrix_set: TileMatrixSet) -> Iterator[SetLink]:
    """One link, or none to a set in which the layer has no tile."""
    limits = [
        MatrixLimits(matrix, held)
        for matrix in tile_matrix_set.matrices[
            : native_matrix(layer.main_variable.grid, tile_matrix_set) + OVERZOOM + 1
        ]
        if (held := tile_limits(layer, tile_matrix_set, matrix)) is not None
    ]
    if limits:
        expressible = (each for each in limits if each.range.row_max > 0 and each.range.column_max > 0)
        yield SetLink(tile_matrix_set.id, tuple(expressible))


def _corner(tile_matrix_set: TileMatrixSet, matrix: TileMatrix) -> tuple[float, ...]:
    """WMTS 1.0.0 Table 10: the corner is in the axis order of the CRS."""
    return in_axis_order((matrix.left, matrix.top), tile_matrix_set.crs)
