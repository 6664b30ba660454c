"""Areas of a mosaic, each in native cells of the lattice at its middle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.model.collection import Layer
from chronotile.model.geometry.area import Area
from chronotile.model.request import AreaSeriesRequest, Point
from chronotile.model.series.series import AreasSeries, SeriesCost
from chronotile.pipeline.frames import framed, lattice_at
from chronotile.pipeline.services import Services
from chronotile.readers.reader import Lattice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FramedAreas:
    """Some areas of a request, the layer whose grid has their cells, and services that read it."""

    request: AreaSeriesRequest
    layer: Layer
    services: Services
    places: tuple[int, ...]
    """Where the areas stand among all of the request."""


def framed_areas(request: AreaSeriesRequest, layer: Layer, services: Services) -> list[FramedAreas]:
    """Return the areas of a request by the lattice that their cells lie on; all together where there is one grid."""
    everything = tuple(range(len(request.areas)))
    if not layer.main_variable.is_mosaic:
        return [FramedAreas(request=request, layer=layer, services=services, places=everything)]
    places: dict[Lattice | None, list[int]] = {}
    for number, area in enumerate(request.areas):
        middle = _middle(area)
        lattice = None if middle is None else lattice_at(layer, services, middle)
        places.setdefault(lattice, []).append(number)
    groups = []
    for lattice, numbers in (places or {None: []}).items():
        own = framed([layer], services, lattice)
        some = replace(
            request,
            areas=tuple(request.areas[number] for number in numbers),
            may_be_outside=request.may_be_outside or len(places) > 1,
        )
        groups.append(FramedAreas(request=some, layer=own.layers[0], services=own.services, places=tuple(numbers)))
    return groups


def _middle(area: Area) -> Point | None:
    """The middle of the box of an area; `None` of one without polygons."""
    if not area.polygons:
        return None
    corners = np.vstack([polygon[0] for polygon in area.polygons])
    x, y = ((corners.min(axis=0) + corners.max(axis=0)) / 2).tolist()
    return Point(x=x, y=y, crs=area.crs)


def joined(parts: Sequence[tuple[FramedAreas, AreasSeries]]) -> AreasSeries:
    """Return the series of all areas of a request, in its order."""
    first = parts[0][1]
    if len(parts) == 1:
        return first
    by_place = {
        place: series for framed, found in parts for place, series in zip(framed.places, found.areas, strict=True)
    }
    return replace(
        first,
        areas=tuple(by_place[place] for place in sorted(by_place)),
        unreadable=tuple(sorted({instant for _framed, found in parts for instant in found.unreadable})),
        left_out=tuple(sorted({item for _framed, found in parts for item in found.left_out})),
    )


def sum_of_costs(costs: Sequence[SeriesCost]) -> SeriesCost:
    """Return what several series take together."""
    return SeriesCost(
        chunks=sum(cost.chunks for cost in costs),
        bytes=sum(cost.bytes for cost in costs),
        seconds=sum(cost.seconds for cost in costs),
        cells=sum(cost.cells for cost in costs),
        values=sum(cost.values for cost in costs),
    )
