"""Series as JSON: the documents of docs/reference/layers-and-series.md."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import orjson

from chronotile.core.model.geometry.area import Area
from chronotile.core.model.number_text import numbers_json, statistics, strip_noise, text_values
from chronotile.core.model.places import PlaceValues
from chronotile.core.model.request import Point
from chronotile.core.model.series.reducers import MEAN
from chronotile.core.model.series.series import Series
from chronotile.core.model.space.boxes import WHOLE_CIRCLE
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import InstantArray, Json
from chronotile.pipeline.encoders import document_parts as parts
from chronotile.pipeline.encoders.covjson_parts import ANY_LANGUAGE
from chronotile.pipeline.encoders.series.analysis import findings_document, methods_document
from chronotile.pipeline.encoders.series.covjson import column_parameter
from chronotile.pipeline.encoders.series.outlines import geometry_json
from chronotile.pipeline.encoders.series.table import VALUE, Column, Rows, SeriesTable


def encode_series_json(series: Series) -> bytes:
    """Return the document of one point, with `null` for missing values.

    With an analysis, `analysis` has the results and `methods` the parameters. It is not made from a table, since this
    is the most frequent document.
    """
    document: dict[str, Any] = {
        "layer": series.layer,
        "units": series.units,
        "point": [series.longitude, series.latitude],
        "times": parts.json_instants(series.times),
        "values": numbers_json(text_values(series.values, series.encoding)),
        "reasons": series.reasons,
    }
    if series.findings is not None:
        document["analysis"] = findings_document(series.findings, 0)
        document["methods"] = methods_document(series.findings)
    return parts.dump_json(document)


def encode_areas_json(table: SeriesTable) -> Iterator[bytes]:
    """Yield the document of areas, or of points of one layer, part by part; a point is an area of at most one cell.

    Values are `null` if no cell has a value, or too few cells do. `properties`, `note`, `reasons`, `edges` and
    `unreadable` (times with an unreadable cell in the area) are omitted if empty. `total` is one number, or
    one per period if there is a step. With an analysis, `analysis` has the results by reducer, and `methods` the
    parameters.
    """
    head = {"layer": table.title, "units": table.units, "times": parts.json_instants(table.times)}
    if table.missing.unreadable_times:
        head["unreadable"] = parts.format_instants(np.array(table.missing.unreadable_times))
    tail: dict[str, Any] = {"edges": edges_json(table)} if table.edges else {}
    for findings in table.findings.values():  # methods are the same for all columns
        tail["methods"] = methods_document(findings)
    features = (parts.dump_json(feature) for rows in table.batches() for feature in _features(table, rows))
    yield from parts.stream_with_list(parts.dump_json(head), "features", features, tail=parts.dump_json(tail))


def encode_points_json(tables: Iterable[SeriesTable]) -> Iterator[bytes]:
    """Yield the document of points of several layers part by part; it has the document of areas for each layer."""
    yield b'{"results":['
    for number, table in enumerate(tables):
        yield b"," if number else b""
        yield from encode_areas_json(table)
    yield b"]}"


def encode_place_values_json(matrix: PlaceValues) -> bytes:
    """Return the matrix: one row per place, one number per instant; `null` for missing values."""
    unreadable_times = matrix.missing.unreadable_times
    lacking = {"unreadable": parts.format_instants(np.array(unreadable_times))} if unreadable_times else {}
    credit = {"attribution": matrix.attribution} if matrix.attribution else {}
    return parts.dump_json(
        {
            "places": matrix.places,
            "revision": matrix.revision,
            "layer": matrix.layer,
            "units": matrix.units,
            "reducer": matrix.reducer,
            **credit,
            "times": parts.json_instants(matrix.times),
            **lacking,
            "offset": matrix.offset,
            "total": matrix.total,
            "ids": matrix.ids,
            "values": numbers_json(statistics(matrix.values, reducer=matrix.reducer)),
        }
    )


def edges_json(table: SeriesTable) -> dict[str, orjson.Fragment]:
    """Return the edges (bin + 1,) of histograms as JSON, by name."""
    return {name: numbers_json(np.array([strip_noise(edge) for edge in edges])) for name, edges in table.edges.items()}


def cells_json(rows: Rows, row: int) -> dict[str, Any]:
    """Return the counts of cells of a place as JSON members."""
    total = rows.total[row]
    return {
        "valid": np.ascontiguousarray(rows.valid[row]),
        "total": np.ascontiguousarray(total) if rows.total.ndim > 1 else int(total),
    }


def _features(table: SeriesTable, rows: Rows) -> Iterator[dict[str, Any]]:
    columns = {
        _reducer(column.name): column.json(rows.values[column.name]) for column in table.columns if not column.is_found
    }
    for row, place in enumerate(rows.places):
        feature: dict[str, Any] = {
            "id": place.id,
            "series": {name: member[row] for name, member in columns.items()},
            **cells_json(rows, row),
        }
        optional = {
            "properties": place.properties if isinstance(place, Area) else None,
            "note": rows.notes[row],
            "reasons": rows.cells_without(row),
            "analysis": {
                _reducer(name): findings_document(findings, rows.first + row)
                for name, findings in table.findings.items()
            },
        }
        yield feature | {name: member for name, member in optional.items() if member}


def _reducer(column: str) -> str:
    # A point is an area of one cell, so its value equals the mean.
    return MEAN.name if column == VALUE else column


UNBOUNDED = "../.."
"""The `datetime` of features without times."""


def encode_series_geojson(table: SeriesTable) -> Iterator[bytes]:
    """Yield a FeatureCollection part by part; `times` and other shared members are next to `features`."""
    features = chain.from_iterable(_geojson_features(table, rows, {}) for rows in table.batches())
    yield from parts.stream_with_list(
        parts.dump_json({"type": "FeatureCollection", **_shared_members(table)}), "features", features
    )


def encode_series_ndjson(table: SeriesTable) -> Iterator[bytes]:
    """Yield one complete feature per line; its properties include `times` and the other shared members."""
    shared = _shared_members(table)
    lines = (feature + b"\n" for rows in table.batches() for feature in _geojson_features(table, rows, shared))
    yield from parts.join_parts(lines)


def encode_layers_geojson(table: SeriesTable, *, endpoint_of: Callable[[Point | Area], str]) -> Generator[bytes]:
    """Yield a FeatureCollection for EDR (OGC 19-086r6 §8.2.3), with a feature per place, part by part.

    The property `values` has a list for each layer, with a value or `null` for each time. Without times there are
    no features.

    Args:
        table: The table, with one column per layer.
        endpoint_of: Returns the URL of the query for a place.
    """
    parameters = [_parameter(column, table) for column in table.columns]
    head = {"type": "FeatureCollection", **table.credits.texts, "parameters": parameters}
    features = _features_of_layers(table, endpoint_of) if table.times.size else ()
    yield from parts.stream_with_list(parts.dump_json(head), "features", features)


def interval_text(times: InstantArray) -> str:
    """Return the interval from the first to the last instant, in the syntax of `datetime`."""
    return f"{format_instant(times[0])}/{format_instant(times[-1])}" if times.size > 1 else format_instant(times[0])


def _shared_members(table: SeriesTable) -> Json:
    shared: Json = {"layer": table.title, "units": table.units, "times": parts.json_instants(table.times)}
    if table.edges:
        shared["edges"] = edges_json(table)
    return shared | table.credits.texts


def _geojson_features(table: SeriesTable, rows: Rows, shared: Json) -> Iterable[bytes]:
    """Yield features; properties from the client come first, so that they cannot replace a series."""
    reasons = None if rows.codes is None else rows.reasons(None)
    columns = {column.name: column.json(rows.values[column.name]) for column in table.columns}
    for row, place in enumerate(rows.places):
        properties: Json = {**((place.properties if isinstance(place, Area) else None) or {}), **shared}
        properties["series"] = {name: texts[row] for name, texts in columns.items()}
        if reasons is not None:
            properties["reasons"] = reasons[row].tolist()
        if table.has_counts:
            properties |= cells_json(rows, row)
            if rows.notes[row] is not None:
                properties["note"] = rows.notes[row]
        yield _feature(place, properties)


def _features_of_layers(table: SeriesTable, endpoint_of: Callable[[Point | Area], str]) -> Iterable[bytes]:
    shared: Json = {"parameter-name": [column.name for column in table.columns]}
    if table.has_time:
        shared = {"datetime": interval_text(table.times), **shared, "times": parts.json_instants(table.times)}
    else:
        shared = {"datetime": UNBOUNDED, **shared}
    for rows in table.batches():
        values = table.values_at_all_times(rows)
        columns = {column.name: column.json(values[column.name]) for column in table.columns}
        for row, place in enumerate(rows.places):
            if isinstance(place, Point):
                label: object = f"{place.x:.10g} {place.y:.10g}"
            else:
                label = str((place.properties or {}).get("label", place.id))
            wrapped = _wrap_longitude(place)
            members = {"label": label, "edrqueryendpoint": endpoint_of(wrapped)}
            series = {name: texts[row] for name, texts in columns.items()}
            yield _feature(wrapped, {**shared, **members, "values": series})


def _feature(place: Point | Area, properties: Json) -> bytes:
    identity = {} if place.id is None else {"id": place.id}
    return parts.dump_json({"type": "Feature", **identity, "geometry": geometry_json(place), "properties": properties})


def _wrap_longitude(place: Point | Area) -> Point | Area:
    """Return a point in CRS84 with its longitude from -180 to 180 (RFC 7946 §4); areas are unchanged."""
    if isinstance(place, Area):
        return place
    (longitude, latitude), half = place.degrees, WHOLE_CIRCLE / 2
    turns = 0 if -half <= longitude <= half else (longitude + half) // WHOLE_CIRCLE
    return Point(x=longitude - turns * WHOLE_CIRCLE, y=latitude)


def _parameter(column: Column, table: SeriesTable) -> Json:
    """Return a CoverageJSON parameter with plain texts, as in descriptions of collections (§8.1.4)."""
    parameter = {"id": column.name, **column_parameter(column, table)}
    observed = parameter["observedProperty"]
    parameter["observedProperty"] = {**observed, "label": _text(observed["label"])}
    if "categories" in observed:
        labelled = [{**category, "label": _text(category["label"])} for category in observed["categories"]]
        parameter["observedProperty"]["categories"] = labelled
    if "description" in parameter:
        parameter["description"] = _text(parameter["description"])
    return parameter


def _text(texts: Mapping[str, str]) -> str:
    # Return the text for any language, else the first one.
    return texts.get(ANY_LANGUAGE) or next(iter(texts.values()))
