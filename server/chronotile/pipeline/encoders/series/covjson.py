"""Series as CoverageJSON (OGC 21-069r2)."""

from collections.abc import Generator, Iterator, Sequence
from functools import partial

import numpy as np
import orjson

from chronotile.core.model.geometry.area import Area
from chronotile.core.model.number_text import text_values
from chronotile.core.model.request import Point
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.types import Json
from chronotile.pipeline.encoders import covjson_parts as cov
from chronotile.pipeline.encoders import document_parts as parts
from chronotile.pipeline.encoders.series.outlines import outline
from chronotile.pipeline.encoders.series.table import VALUE, Column, SeriesTable


def encode_series_covjson(table: SeriesTable, *, crs: Crs = CRS84, may_be_single: bool = False) -> Generator[bytes]:
    """Yield a CoverageCollection part by part, with a coverage per place and group of columns with the same times.

    A point is a PointSeries. An area is a PolygonSeries, or a MultiPolygonSeries in which each polygon has the values
    of the whole area (§9.11). Without times, the domains are Point, Polygon and MultiPolygon. If a group has an empty
    list of times, it has no coverage, since an axis must not be empty.

    Args:
        table: The table; its points are in `crs`.
        crs: The CRS of the written coordinates.
        may_be_single: Whether a single coverage is written without a collection.
    """
    groups = _groups(table)
    shared = {**table.credits.texts, "parameters": _parameters(table)}
    coverages = _coverages(table, groups, crs)
    if may_be_single and len(groups) == 1 and len(table.names) == 1:
        (coverage,) = coverages
        coverage["domain"]["referencing"] = cov.reference_systems(crs, has_time=groups[0][0].has_time)
        yield parts.dump_json({**coverage, **shared})
        return
    head = {
        "type": "CoverageCollection",
        **shared,
        "referencing": cov.reference_systems(crs, has_time=table.has_time),
    }
    yield from parts.stream_with_list(parts.dump_json(head), "coverages", map(parts.dump_json, coverages))


def column_parameter(column: Column, table: SeriesTable) -> Json:
    """Return the parameter of a column; for points of one layer, the layer alone describes it."""
    if column.layer is not None:
        return cov.layer_parameter(column.layer, method=table.method)
    label = table.title if column.name == VALUE else f"{table.title}, {column.name}"
    return cov.parameter({cov.ANY_LANGUAGE: label}, column.units)


def _parameters(table: SeriesTable) -> Json:
    parameters = {column.name: column_parameter(column, table) for column in table.flat_columns}
    return parameters | (
        {"valid": cov.parameter({cov.ANY_LANGUAGE: "cells with a value"}, "1")} if table.has_counts else {}
    )


def _groups(table: SeriesTable) -> list[list[Column]]:
    """Group columns with the same times; columns with an empty list of times are omitted."""
    groups: dict[bytes, list[Column]] = {}
    for column in table.flat_columns:
        if column.times.size:
            groups.setdefault(column.times.tobytes(), []).append(column)
    return list(groups.values())


def _coverages(table: SeriesTable, groups: Sequence[Sequence[Column]], crs: Crs) -> Iterator[Json]:
    is_whole = {
        column.name: not table.has_areas and column.layer is not None and bool(cov.categories_of(column.layer))
        for column in table.flat_columns
    }
    times = [parts.json_instants(columns[0].times) if columns[0].has_time else None for columns in groups]
    for rows in table.batches():
        flat = table.flat(rows)
        values = {
            column.name: text_values(flat[column.name], column.encoding).astype(np.float64)
            for column in table.flat_columns
        }
        for row, place in enumerate(rows.places):
            identity = {} if place.id is None else {"id": str(place.id)}
            for columns, own_times in zip(groups, times, strict=True):
                domain = _domain(place, own_times, crs)
                polygons = len(domain["axes"]["composite"]["values"]) if table.has_areas else 1
                write = partial(cov.values_along_time, has_time="t" in domain["axes"], polygons=polygons)
                ranges = {
                    column.name: write(values[column.name][row], is_whole=is_whole[column.name]) for column in columns
                }
                if table.has_counts:
                    ranges["valid"] = write(rows.valid[row])
                yield {"type": "Coverage", **identity, "domain": domain, "ranges": ranges}


def _domain(place: Point | Area, times: orjson.Fragment | None, crs: Crs) -> Json:
    has_time = times is not None
    axes: Json = {"t": {"values": times}} if has_time else {}
    if isinstance(place, Point):
        domain_type = "PointSeries" if has_time else "Point"
        axes |= {"x": {"values": [place.x]}, "y": {"values": [place.y]}}
    else:
        polygons = outline(place, crs)
        domain_type = cov.polygons_domain_type(len(polygons), has_time=has_time)
        axes["composite"] = cov.polygons_axis(polygons)
    return {"type": "Domain", "domainType": domain_type, "axes": axes}
