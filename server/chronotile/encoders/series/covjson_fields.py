"""Series of several variables as CoverageJSON (OGC 21-069r2)."""

from collections.abc import Generator
from itertools import product

import orjson

from chronotile.encoders.covjson_parts import (
    Json,
    categories_of,
    layer_parameter,
    polygons_axis,
    polygons_domain_type,
    referencing,
    values_along_time,
)
from chronotile.encoders.credits import Credits
from chronotile.encoders.document_parts import with_list
from chronotile.encoders.instants import JSON_OPTIONS, json_instants
from chronotile.encoders.series.table import outline
from chronotile.model.crs import Crs
from chronotile.model.request import Point
from chronotile.model.series.fields import FieldSeries, FieldsSeries


def encode_fields_covjson(series: FieldsSeries, *, crs: Crs, credits: Credits) -> Generator[bytes]:
    """Yield a Coverage of one place if all variables have the same times, else a CoverageCollection, in pieces.

    A point is a PointSeries at the place that was asked for, an area a PolygonSeries, or a MultiPolygonSeries whose
    polygons all have the value of the whole area (§9.11); without times they are a Point and so on. Variables of the
    same times share a coverage. Of no time at all there is none: an axis may not be empty.

    Args:
        series: Whose points are in `crs`.
        crs: Of the coordinates that are written.
        credits: Whom the document names.
    """
    groups = [group for group in series.groups() if group[0].times.size]
    parameters = {each.name: layer_parameter(each.layer, method=series.method) for each in series.fields}
    shared = {**credits.told, "parameters": parameters}
    if len(series.places) == len(groups) == 1:
        coverage = _coverage(series, 0, groups[0], crs)
        coverage["domain"]["referencing"] = referencing(crs, has_time=groups[0][0].has_time)
        yield _dumps({**coverage, **shared})
        return
    head = {"type": "CoverageCollection", **shared, "referencing": referencing(crs, has_time=series.has_time)}
    each = product(range(len(series.places)), groups)
    coverages = (_dumps(_coverage(series, row, group, crs)) for row, group in each)
    yield from with_list(_dumps(head), "coverages", coverages)


def _coverage(series: FieldsSeries, row: int, group: tuple[FieldSeries, ...], crs: Crs) -> Json:
    """What some variables of the same times have at one place."""
    place = series.places[row]
    times, has_time = group[0].times, group[0].has_time
    axes: Json = {"t": {"values": json_instants(times)}} if has_time else {}
    identity, polygons = {}, 1
    if isinstance(place, Point):
        domain_type = "PointSeries" if has_time else "Point"
        axes |= {"x": {"values": [place.x]}, "y": {"values": [place.y]}}
    else:
        identity = {"id": str(place.id)}
        rings = outline(place, crs)
        polygons = len(rings)
        domain_type = polygons_domain_type(polygons, has_time=has_time)
        axes["composite"] = polygons_axis(rings)
    return {
        "type": "Coverage",
        **identity,
        "domain": {"type": "Domain", "domainType": domain_type, "axes": axes},
        "ranges": {
            each.name: values_along_time(
                series.texts(each.name, each.values[row]),
                has_time=has_time,
                polygons=polygons,
                is_whole=isinstance(place, Point) and bool(categories_of(each.layer)),
            )
            for each in group
        },
    }


def _dumps(document: Json) -> bytes:
    return orjson.dumps(document, option=JSON_OPTIONS)
