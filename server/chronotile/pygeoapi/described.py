"""What providers tell of a collection: its fields, its grid, its times."""

from collections.abc import Mapping
from typing import Any

from chronotile.catalog.offered import Offered, offered_collection, offered_collections
from chronotile.model.grid import NativeGrid
from chronotile.model.time.instants import TimeDomain, format_instant
from chronotile.model.time.steps import DEKAD, step_of
from chronotile.pipeline.services import Services

Json = dict[str, Any]


def chosen(services: Services, options: Mapping[str, Any] | None) -> Offered:
    """Return the collection that a provider's `options` name, or else the first one.

    Raises:
        UnknownCollection: There is not one of that name.
    """
    name = (options or {}).get("collection")
    if name is None:
        return offered_collections(services.catalogue)[0]
    return offered_collection(services.catalogue, str(name))


def fields_of(offered: Offered) -> dict[str, Json]:
    """Return the schema of each field by its name, as pygeoapi has it of providers."""
    return {
        name: {
            "type": "number",
            "title": next(iter(layer.title.values()), name),
            "x-ogc-unit": layer.main_variable.encoding.units or "",
        }
        for name, layer in offered.fields.items()
    }


def axes_of(grid: NativeGrid, times: TimeDomain) -> list[str]:
    """Return the names of the axes as `subset` takes them."""
    horizontal = ["Lon", "Lat"] if grid.crs.is_geographic else ["x", "y"]
    return [*horizontal, *(["time"] if len(times) else [])]


def coverage_properties(grid: NativeGrid, times: TimeDomain) -> Json:
    """Return what pygeoapi makes the extent of a coverage of."""
    x_step, y_step = grid.steps
    properties: Json = {
        "bbox": list(grid.bbox),
        "bbox_crs": grid.crs.uri,
        "width": grid.width,
        "height": grid.height,
        "resx": x_step,
        "resy": y_step,
    }
    if len(times) == 0:
        return properties
    properties["time_range"] = [format_instant(times.instants[index]) for index in (0, -1)]
    step = step_of(times)
    return properties if step in {None, DEKAD} else {**properties, "restime": step}
