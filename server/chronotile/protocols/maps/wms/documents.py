"""Capabilities documents of WMS."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.collection import Collection, MetadataLink
from chronotile.core.model.space.boxes import BBox, box_of_all
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.protocols.common.capabilities import layer_entries as entries
from chronotile.protocols.common.capabilities.crs_names import wms_name
from chronotile.protocols.common.capabilities.languages import inspire_code
from chronotile.protocols.common.capabilities.time_extent import TimeExtent, most_listed_times
from chronotile.protocols.common.capabilities.update_sequence import update_sequence
from chronotile.protocols.common.feature_info import INFO_FORMATS
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.crs import in_axis_order
from chronotile.protocols.common.sld import MEDIA_TYPE as SLD_TYPE
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.maps.wms.faults import box_in_crs
from chronotile.protocols.maps.wms.legend import FORMAT as LEGEND_FORMAT
from chronotile.protocols.maps.wms.params import (
    EXCEPTION_FORMATS,
    FORMAT,
    LAYER_LIMIT,
    WmsVersion,
    max_side,
    named_groups,
)

MEDIA_TYPES = {"1.3.0": "text/xml", "1.1.1": "application/vnd.ogc.wms_xml"}
TEMPLATES = {"1.3.0": "maps/wms/templates/capabilities_1_3_0.xml", "1.1.1": "maps/wms/templates/capabilities_1_1_1.xml"}


@dataclass(frozen=True, slots=True)
class OfferedCrs:
    """A reference system with its name in the version of the document."""

    name: str
    crs: Crs


@dataclass(frozen=True, slots=True)
class VersionBox:
    """A box with the CRS name and axis order of the WMS version."""

    crs: str
    minx: float
    miny: float
    maxx: float
    maxy: float


def capabilities(context: entries.CapabilitiesContext, version: WmsVersion, *, path: str) -> bytes:
    """Return the capabilities document; `path` is the path of the service, below the base URL."""
    catalogue = context.services.catalogue
    offered = tuple(offered_crs(catalogue, version))
    listed = frozenset(name for name, _layer in entries.advertised_layers(context))
    groups_by_id = {entry.id: entry for entry in named_groups(catalogue, listed)}
    collections = entries.collection_entries(context, times=most_listed_times(len(listed) + len(groups_by_id)))
    boxes = {layer.name: tuple(_boxes(layer, offered, version)) for entry in collections for layer in entry.layers}
    time = context.time_text
    return render_xml(
        TEMPLATES[version],
        service=catalogue.service,
        title=text_in(catalogue.service.title, context.language),
        abstract=text_in(catalogue.service.abstract, context.language),
        base=context.base,
        update_sequence=update_sequence(context.services),
        inspire=_inspire(catalogue, context.language),
        metadata={collection.id: collection.metadata for collection in catalogue.collections},
        # TIME is part of the URL, so that it is the default of clients that send no TIME.
        url=f"{context.base}{path}?{'' if time is None else urlencode({'TIME': time}) + '&'}",
        formats=FORMAT.words,
        info_formats=tuple(INFO_FORMATS),
        legend_formats=LEGEND_FORMAT.words,
        sld_type=SLD_TYPE,
        exception_formats=tuple(EXCEPTION_FORMATS[version]),
        layer_limit=LAYER_LIMIT,
        max_side=max_side(catalogue),
        crs=offered,
        world=box_of_all([collection.box for collection in collections]) if collections else None,
        collections=collections,
        boxes=boxes,
        groups={entry.name: _group(entry, boxes, groups_by_id.get(entry.name)) for entry in collections},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry:
    """Attributes and elements of a collection that clients can request as one layer."""

    queryable: bool
    """Whether any layer of the collection is queryable."""
    boxes: tuple[VersionBox, ...]
    """One box per CRS in which every layer has a box; in other CRSs the layers without a box would inherit it."""
    time: TimeExtent | None
    """Times of the layers; `None` if they differ."""
    attribution: str | None
    """Attribution of the layers; `None` if they differ."""


def _group(
    entry: entries.CollectionEntry, boxes: Mapping[str, tuple[VersionBox, ...]], collection: Collection | None
) -> GroupEntry | None:
    """Return the entry of a requestable collection; `None` if any of its layers has no geographic box."""
    layers = [layer for layer in entry.layers if layer.name == layer.layer.id]
    if collection is None or len(layers) < len(collection.layers):
        return None
    first, *rest = layers
    by_crs = [{box.crs: box for box in boxes[layer.name]} for layer in layers]
    shared = [name for name in by_crs[0] if all(name in b for b in by_crs)]
    return GroupEntry(
        queryable=any(layer.layer.queryable for layer in layers),
        boxes=tuple(_round([b[name] for b in by_crs]) for name in shared),
        time=first.time if all(layer.time == first.time for layer in rest) else None,
        attribution=first.attribution if all(layer.attribution == first.attribution for layer in rest) else None,
    )


def _round(boxes: Sequence[VersionBox]) -> VersionBox:
    # The box around boxes of the same CRS.
    return VersionBox(boxes[0].crs, *box_of_all([BBox(box.minx, box.miny, box.maxx, box.maxy) for box in boxes]))


@dataclass(frozen=True, slots=True)
class InspireCapabilities:
    """Extended capabilities of INSPIRE (view services 3.11, scenario 1); languages as ISO 639-2/B codes."""

    record: MetadataLink
    default_language: str
    other_languages: tuple[str, ...]
    response_language: str


def _inspire(catalogue: Catalogue, language: str) -> InspireCapabilities | None:
    service = catalogue.service
    if service.inspire is None:
        return None
    default, *rest = (inspire_code(name) for name in service.languages)
    return InspireCapabilities(service.inspire, default, tuple(rest), inspire_code(language))


def offered_crs(catalogue: Catalogue, version: WmsVersion) -> Iterator[OfferedCrs]:
    """Yield the CRSs of maps by name; CRS:84 is a name in WMS 1.3.0 (Annex B.2), not in 1.1.1."""
    for crs in catalogue.crs:
        name = wms_name(crs)
        if name is not None and (version == "1.3.0" or crs != CRS84):
            yield OfferedCrs(name, crs)


def _boxes(entry: entries.LayerEntry, offered: Iterable[OfferedCrs], version: WmsVersion) -> Iterator[VersionBox]:
    """Yield the layer's box in each CRS that can express it, in the axis order of the CRS (WMS 1.3.0 §7.2.4.6.8)."""
    for named_crs in offered:
        box = box_in_crs(entry.layer.main_variable.grid, named_crs.crs)
        if box is not None:
            edges = [round(edge, entries.DECIMALS) for edge in box]
            yield VersionBox(named_crs.name, *(in_axis_order(edges, named_crs.crs) if version == "1.3.0" else edges))
