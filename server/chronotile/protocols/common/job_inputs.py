"""Inputs of the job that is offered if a request is too large."""

import math
from collections.abc import Mapping, Sequence

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import UnsupportedCrs
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.time.selection_text import selection_text
from chronotile.core.model.types import Json
from chronotile.jobs.processes.inputs import MAX_CONTAINERS, MAX_FEATURES, MAX_VERTICES
from chronotile.jobs.processes.registry import process_of
from chronotile.pipeline.estimate import LIMIT
from chronotile.protocols.common.query.crs import in_axis_order, requested_crs

OF_SERIES: Mapping[str, float] = {
    "max_series_values": math.inf,
    "max_area_values": math.inf,
    LIMIT: math.inf,
    "max_features": MAX_FEATURES,
    "max_vertices": MAX_VERTICES,
    "max_containers": MAX_CONTAINERS,
}
"""Limits of jobs for series, by the names of the limits of requests."""
MAX_OFFERED_VERTICES = 5_000
"""Vertices of areas in a problem document, which the event loop writes; each takes up to 50 bytes."""


def datetime_input(time: TimeSelection) -> Json:
    """Return the input `datetime` of processes; empty for all times."""
    text = selection_text(time)
    return {} if text is None else {"datetime": text}


def bbox_input(box: BBox, crs: Crs, layer: Layer, catalogue: Catalogue) -> Json:
    """Return the input `bbox` of processes.

    Raises:
        UnsupportedCrs: Processes do not accept the CRS.
    """
    edges = list(in_axis_order(box, crs))
    return {"bbox": {"bbox": edges} if crs == CRS84 else {"bbox": edges, "crs": crs_input(crs, layer, catalogue)}}


def places_input(areas: Sequence[Area], layer: Layer, catalogue: Catalogue) -> Json | None:
    """Return the input `places` of processes; `None` if the areas have more than `MAX_OFFERED_VERTICES`.

    All areas have the same CRS.

    Raises:
        UnsupportedCrs: Neither the service nor the layer offers the CRS.
    """
    if sum(area.vertices for area in areas) > MAX_OFFERED_VERTICES:
        return None
    crs = areas[0].crs
    if crs != CRS84:
        requested_crs(crs.name, layer, catalogue)
    crs_member = {} if crs == CRS84 else {"crs": {"type": "name", "properties": {"name": crs.name}}}
    features = [_feature(area) for area in areas]
    # OGC 18-062r2 /req/core/job-creation-input-inline-object: an object is the member `value` of an input.
    return {"places": {"value": {"type": "FeatureCollection", "features": features, **crs_member}}}


def names_input(names: Sequence[str]) -> str | list[str]:
    """Return one name, or a list of several."""
    return names[0] if len(names) == 1 else list(names)


def _feature(area: Area) -> Json:
    polygons = [[ring.tolist() for ring in polygon] for polygon in area.polygons]
    feature = {
        "type": "Feature",
        "properties": area.properties or {},
        "geometry": {"type": "MultiPolygon", "coordinates": polygons},
    }
    return feature if area.id is None else {"id": area.id, **feature}


def crs_input(crs: Crs, layer: Layer, catalogue: Catalogue) -> str:
    """Return the URI of a CRS.

    Raises:
        UnsupportedCrs: The CRS has no URI, or neither the service nor the layer offers it.
    """
    if crs.uri is None:
        raise UnsupportedCrs("the CRS has no name", locator="crs")
    catalogue.offered_crs(crs.uri, layer)
    return crs.uri


def format_input(process: str, name: str, *, otherwise: str) -> tuple[Json, list[str]]:
    """Return the input `format`, and a note if the process does not write the requested format.

    Args:
        process: Id of the process.
        name: Requested format, in the spelling of the process.
        otherwise: Format that replaces others.
    """
    if any(name in output.formats for output in process_of(process).outputs.values()):
        return {"format": name}, []
    return {"format": otherwise}, [f"the file is {otherwise}: the process does not write {name}"]
