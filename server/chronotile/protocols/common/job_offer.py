"""The job that does what a request is too large for, ready to be posted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import ChronotileError, LimitExceeded, UnsupportedCrs
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, Crs
from chronotile.model.geometry.area import Area
from chronotile.model.grid import BBox
from chronotile.model.time.instants import TimeSelection
from chronotile.model.time.text import selection_text
from chronotile.processes.registry import process_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.axis_order import in_axis_order
from chronotile.protocols.common.query.place import requested_crs

Json = dict[str, Any]

MOST_REPEATED_BYTES = 1 << 16
"""Of a body that is given back in a problem, which is made in the event loop."""
MOST_REPEATED_VERTICES = 5_000
"""Of areas that are, each of which takes up to fifty bytes."""
OFFERED = "chronotile.job"
"""Where a request keeps how its job is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInstead:
    """A job that does the same as a request."""

    process: str
    inputs: Json
    limits: Mapping[str, float]
    """How far it goes, by the names of the limits of requests that it is not bound by."""
    others: Json = field(default_factory=dict)
    """What is posted beside the inputs."""
    notes: Sequence[str] = ()
    """What is not quite the same, or is to be added."""


def offer_job(request: Request, make: Callable[[], JobInstead | None]) -> None:
    """Say which job does the same as a request, for the problem if it is past a limit.

    Args:
        request: It.
        make: Gives the job, or `None` where no process takes all that is asked; raises ChronotileError where what is
            asked is wrong.
    """
    request.scope[OFFERED] = make


def job_told(error: LimitExceeded, request: Request) -> Json | None:
    """Return the job that does what is past a limit, as problems tell of it; `None` where there is none."""
    make = request.scope.get(OFFERED)
    try:
        job: JobInstead | None = None if make is None else make()
    except ChronotileError:  # the limit was met before the rest was looked at
        return None
    if job is None or error.asked > job.limits.get(error.limit, 0):
        return None
    return {
        "process": job.process,
        "href": f"{base_url(request)}/ogcapi/processes/{job.process}/execution",
        "execute": {"inputs": job.inputs, **job.others},
        **({"note": "; ".join(job.notes)} if job.notes else {}),
    }


def datetime_input(time: TimeSelection) -> Json:
    """Return the input `datetime` of processes, if there is anything to say."""
    text = selection_text(time)
    return {} if text is None else {"datetime": text}


def bbox_input(box: BBox, crs: Crs, catalogue: Catalogue) -> Json:
    """Return the input `bbox` of processes.

    Raises:
        UnsupportedCrs: The CRS is not one that maps are offered in, which all that processes take are.
    """
    edges = list(in_axis_order(box, crs))
    return {"bbox": {"bbox": edges} if crs == CRS84 else {"bbox": edges, "crs": crs_input(crs, catalogue)}}


def places_input(areas: Sequence[Area], layer: Layer, catalogue: Catalogue) -> Json | None:
    """Return the input `places` of processes: areas of one CRS, of a request about a layer.

    Returns:
        `None` where they have more vertices than are given back in a problem.

    Raises:
        UnsupportedCrs: The CRS is neither offered nor the layer's own.
    """
    if sum(area.vertices for area in areas) > MOST_REPEATED_VERTICES:
        return None
    crs = areas[0].crs
    if crs != CRS84:
        requested_crs(crs.name, layer, catalogue)
    named = {} if crs == CRS84 else {"crs": {"type": "name", "properties": {"name": crs.name}}}
    features = [_feature(area) for area in areas]
    return {"places": object_input({"type": "FeatureCollection", "features": features, **named})}


def object_input(value: Json) -> Json:
    """Return an object as the value of an input (OGC 18-062r2 /req/core/job-creation-input-inline-object)."""
    return {"value": value}


def names_input(names: Sequence[str]) -> str | list[str]:
    """Return one name, or several."""
    return names[0] if len(names) == 1 else list(names)


def _feature(area: Area) -> Json:
    polygons = [[ring.tolist() for ring in polygon] for polygon in area.polygons]
    feature = {
        "type": "Feature",
        "properties": area.properties or {},
        "geometry": {"type": "MultiPolygon", "coordinates": polygons},
    }
    return feature if area.id is None else {"id": area.id, **feature}


def crs_input(crs: Crs, catalogue: Catalogue) -> str:
    """Return how processes are told a CRS.

    Raises:
        UnsupportedCrs: It is not one that maps are offered in.
    """
    if crs.uri is None:
        raise UnsupportedCrs("the CRS has no name", locator="crs")
    catalogue.offered_crs(crs.uri)
    return crs.uri


def format_input(process: str, name: str, *, otherwise: str) -> tuple[Json, list[str]]:
    """Return the input `format`, and what is to be said where a process has not the one that is asked for.

    Args:
        process: Its id.
        name: Of the format that is asked for, as the process would call it.
        otherwise: The format that comes in place of others.
    """
    if any(name in output.formats for output in process_of(process).outputs.values()):
        return {"format": name}, []
    return {"format": otherwise}, [f"the file is {otherwise}: the process does not write {name}"]
