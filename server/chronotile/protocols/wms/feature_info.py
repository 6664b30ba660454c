"""GetFeatureInfo: what the layers of a map show at one of its pixels (WMS 1.3.0 §7.4, WMS 1.1.1 §7.3)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN, InvalidParameter, InvalidPoint, LayerNotQueryable, UnknownLayer
from chronotile.model.collection import Layer
from chronotile.model.payload import LayeredPayload
from chronotile.model.request import IdentifyRequest, MapRequest, Point
from chronotile.pipeline.identify import InfoFormat, deliver_identified
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.feature_info import INFO_FORMATS, info_format, pixel_place, pixel_point
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import name_list, text, whole
from chronotile.protocols.wms.groups import check_count, layers_in
from chronotile.protocols.wms.params import VERSION, Version, wms_map

QUERY_LAYERS = name_list("QUERY_LAYERS", "Of the map's layers, those that are queried")
INFO_FORMAT = text("INFO_FORMAT", "The media type of the answer", schema=enum_of(list(INFO_FORMATS)))
FEATURE_COUNT = whole("FEATURE_COUNT", "The most features of a layer", least=1, default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoQuery:
    """What GetFeatureInfo requests."""

    requests: tuple[IdentifyRequest, ...]
    """One a query layer, in the order they are named."""
    format: InfoFormat


def info_query(query: Kvp, catalogue: Catalogue) -> InfoQuery:
    """Return what GetFeatureInfo requests; times, styles and places are read as those of the map.

    The map's FORMAT has no say. FEATURE_COUNT is the most features of a layer, of which there is never more than one.

    Raises:
        ChronotileError: A parameter of the map or of the question is missing or not accepted.
    """
    version = VERSION.of(query)
    maps = wms_map(query.replacing("FORMAT", "image/png"), catalogue).layers
    point = _point(query, maps[0], version)
    media_type = INFO_FORMAT.given(query) if version == "1.1.1" else INFO_FORMAT.of(query)
    FEATURE_COUNT.of(query)
    shown = {catalogue.layer(each.layer).id: each for each in maps}
    return InfoQuery(
        requests=tuple(
            IdentifyRequest.of_picture(shown[layer.id], point, layer=name)
            for name, layer in _query_layers(query, catalogue, shown)
        ),
        format=info_format(media_type or "text/plain", locator=INFO_FORMAT.name),
    )


def answer_info(query: InfoQuery, services: Services, *, known: Collection[str]) -> LayeredPayload:
    """Return the document, with the times of each layer."""
    return deliver_identified(query.requests, query.format, services, known=known)


def _query_layers(query: Kvp, catalogue: Catalogue, shown: Collection[str]) -> Iterator[tuple[str, Layer]]:
    requested = QUERY_LAYERS.of(query)
    check_count(requested, "QUERY_LAYERS")
    opened = [each for name in requested for each in _queryable(name, catalogue)]
    check_count(opened, "QUERY_LAYERS")
    for name in opened:
        layer = catalogue.layer(name)
        if layer.id not in shown:
            raise UnknownLayer(
                f"QUERY_LAYERS names {name[:MAX_SHOWN]!r}, which is not one of LAYERS", locator="QUERY_LAYERS"
            )
        if not layer.queryable:
            raise LayerNotQueryable(f"layer {layer.id} cannot be queried", locator="QUERY_LAYERS")
        yield name, layer


def _queryable(name: str, catalogue: Catalogue) -> list[str]:
    """The name, or those of the layers of a group that can be queried.

    Raises:
        LayerNotQueryable: None of them can.
    """
    members = layers_in(name, catalogue)
    if members and not any(layer.queryable for layer in members):
        raise LayerNotQueryable(f"no layer of {name} can be queried", locator="QUERY_LAYERS")
    return [layer.id for layer in members if layer.queryable] or [name]


def _point(query: Kvp, shown: MapRequest, version: Version) -> Point:
    names = ("I", "J") if version == "1.3.0" else ("X", "Y")
    column, row = (
        _pixel(query.required(name), size, locator=name)
        for name, size in zip(names, (shown.grid.width, shown.grid.height), strict=True)
    )
    return pixel_point(shown.grid, column, row)


def _pixel(text: str, size: int, *, locator: str) -> int:
    """As `pixel_place`, with the fault that WMS has for it."""
    try:
        return pixel_place(text, size, locator=locator)
    except InvalidParameter as error:
        raise InvalidPoint(error.message, locator=locator) from error
