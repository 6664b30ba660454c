"""DescribeDomains and GetDomainValues of GeoServer's multidimensional extension: times of layers, in pages.

Requests and documents are those of https://docs.geoserver.org/stable/en/user/extensions/wmts-multidimensional/, only in
key-value pairs. A layer has one dimension, `Time`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chronotile.catalog.resolve_times import matching_times
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.time.instants import ONE_NS
from chronotile.core.model.time.parser import parse_instant, parse_time
from chronotile.core.model.types import Instant
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.crs_names import wms_name
from chronotile.protocols.common.capabilities.time_extent import time_text
from chronotile.protocols.common.query import values
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, box, choice, custom, text, truth, whole
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.maps.wmts.params import TILE_MATRIX_SET, TIME

Sort = Literal["asc", "desc"]

DIMENSION = TIME.name
SPACE = "bbox"
DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000
DEFAULT_EXPANDED = 200
"""Number of times that DescribeDomains lists; more are shortened to the first and the last."""


def _domains(value: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in value.split(","))
    for name in names:
        values.choice(name, (SPACE, DIMENSION.lower()), locator="Domains")
    return names


DOMAINS: Parameter[tuple[str, ...]] = custom(
    "Domains", "Which domains are described", _domains, default=(SPACE, DIMENSION.lower())
)
LAYER = text("Layer", "Id or alias of a layer")
DOMAIN = text("Domain", "The dimension whose values are listed")
BOX = box(SPACE, "A box, in the CRS of the tile matrix set")
EXPAND_LIMIT = whole("ExpandLimit", "The most times that are listed", least=1, most=MAX_LIMIT, default=DEFAULT_EXPANDED)
LIMIT = whole("Limit", "Values of a page", least=1, most=MAX_LIMIT, default=DEFAULT_LIMIT)
SORTS: tuple[Sort, ...] = ("asc", "desc")
SORT = choice("Sort", "The order of values", SORTS, default="asc")
FROM_END = truth("FromEnd", "Whether the ends of times are compared with `FromValue`")
FROM_VALUE = custom("FromValue", "The page begins behind it", lambda value: parse_instant(value).start)
DOMAINS_TEMPLATE = "maps/wmts/templates/domains.xml"
VALUES_TEMPLATE = "maps/wmts/templates/domain_values.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPart:
    """The queried part of a layer."""

    layer: Layer
    indexes: tuple[int, ...]
    """Indexes of its times, ascending."""
    box: BBox | None
    """Intersection of layer and request, in `crs`; `None` if they are disjoint."""
    crs: Crs


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPage:
    """A page of domain values."""

    limit: int
    sort: Sort
    from_value: Instant | None
    """The page starts after it."""
    from_end: bool
    """Whether the ends of intervals are compared with `from_value`, not their starts; the ends are then listed too."""


def describe_domains(query: Kvp, services: Services) -> bytes:
    """Return the domains of a layer, restricted to a box and a time.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    part = _part(query, services)
    TILE_MATRIX_SET.value(query)
    requested, expanded = DOMAINS.value(query), EXPAND_LIMIT.value(query)
    return render_xml(
        DOMAINS_TEMPLATE,
        dimension=DIMENSION if DIMENSION.lower() in requested and len(part.layer.times) else None,
        domain=_domain(part, expanded),
        size=len(part.indexes),
        has_space=SPACE in requested,
        box=part.box,
        crs=wms_name(part.crs) or part.crs.name,
    )


def domain_values(query: Kvp, services: Services) -> bytes:
    """Return one page of the times of a layer.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    name = DOMAIN.value(query)
    part = _part(query, services)
    if name.lower() != DIMENSION.lower() or len(part.layer.times) == 0:
        raise InvalidParameter(f"layer {part.layer.id} has no domain {name[:MAX_SHOWN]!r} of values", locator="Domain")
    page = _page(query)
    values = _values(part, page)
    return render_xml(
        VALUES_TEMPLATE,
        dimension=DIMENSION,
        page=page,
        from_value=None if page.from_value is None else time_text(page.from_value, part.layer.times),
        domain=",".join(values),
        size=len(values),
    )


def _part(query: Kvp, services: Services) -> LayerPart:
    layer = services.catalogue.layer(LAYER.value(query))
    name = TILE_MATRIX_SET.optional(query)
    crs = CRS84 if name is None else services.catalogue.tile_matrix_set(name).crs
    extent = layer.main_variable.grid.bbox_in(crs)
    requested = BOX.optional(query)
    box = extent if requested is None else _intersection(extent, requested)
    indexes = matching_times(layer, parse_time(TIME.optional(query)), now=services.clock()).indexes
    return LayerPart(layer=layer, indexes=indexes if box is not None else (), box=box, crs=crs)


def _intersection(first: BBox, second: BBox) -> BBox | None:
    box = BBox(
        max(first.xmin, second.xmin),
        max(first.ymin, second.ymin),
        min(first.xmax, second.xmax),
        min(first.ymax, second.ymax),
    )
    return box if box.xmin < box.xmax and box.ymin < box.ymax else None


def _domain(part: LayerPart, expanded: int) -> str:
    """Return all times, or the first and the last."""
    if len(part.indexes) > expanded:
        first, last = _texts(part.layer, (part.indexes[0], part.indexes[-1]))
        return f"{first}--{last}"
    return ",".join(_texts(part.layer, part.indexes))


def _texts(layer: Layer, indexes: Sequence[int]) -> list[str]:
    return [time_text(layer.times.instants[index], layer.times) for index in indexes]


def _page(query: Kvp) -> DomainPage:
    sort, from_end = SORT.value(query), FROM_END.value(query)
    return DomainPage(limit=LIMIT.value(query), sort=sort, from_value=FROM_VALUE.optional(query), from_end=from_end)


def _values(part: LayerPart, page: DomainPage) -> list[str]:
    """Return the times of a page; with their ends, each interval selects exactly that time."""
    domain = part.layer.times
    indexes = np.array(part.indexes, dtype=np.intp)
    if page.from_value is not None:
        compared = (domain.ends[indexes] - ONE_NS) if page.from_end else domain.starts[indexes]
        is_behind = compared < page.from_value if page.sort == "desc" else compared > page.from_value
        indexes = indexes[is_behind]
    ordered = (indexes[::-1] if page.sort == "desc" else indexes)[: page.limit].tolist()
    starts = _texts(part.layer, ordered)
    if not page.from_end:
        return starts
    ends = [time_text(domain.ends[index] - ONE_NS, domain) for index in ordered]
    return [f"{start}/{end}" for start, end in zip(starts, ends, strict=True)]
