"""Series as JSON: the documents of docs/reference/layers-and-series.md."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import orjson

from chronotile.encoders.document_parts import with_list
from chronotile.encoders.instants import dump_json, format_instants, json_instants
from chronotile.encoders.series.analysis import findings_document, methods_document
from chronotile.encoders.series.table import VALUE, Rows, SeriesTable
from chronotile.model.geometry.area import Area
from chronotile.model.number_text import numbers_json, statistics, text_values, without_noise
from chronotile.model.places import PlaceValues
from chronotile.model.series.reducer import MEAN
from chronotile.model.series.series import Series


def encode_series_json(series: Series) -> bytes:
    """Return the document of one point; `null` where there is no value. Not from a table: it is the most frequent one.

    With an analysis, `analysis` has its results and `methods` how they were found.
    """
    document: dict[str, Any] = {
        "layer": series.layer,
        "units": series.units,
        "point": [series.longitude, series.latitude],
        "times": json_instants(series.times),
        "values": numbers_json(text_values(series.values, series.encoding)),
        "reasons": series.reasons,
    }
    if series.findings is not None:
        document["analysis"] = findings_document(series.findings, 0)
        document["methods"] = methods_document(series.findings)
    return dump_json(document)


def encode_areas_json(table: SeriesTable) -> Iterator[bytes]:
    """Yield the document of areas, or of points of one layer, each an area of one cell or none, part by part.

    Values are `null` where no cell, or too few, have one. `properties`, `note`, `reasons`, `edges` and `unreadable`
    (the times at which a cell of the area cannot be read) are omitted where empty. `total` is one number, or with a
    step one per period. With an analysis, `analysis` has its results by reducer, and `methods` how they were found.
    """
    head = {"layer": table.title, "units": table.units, "times": json_instants(table.times)}
    if table.unreadable:
        head["unreadable"] = format_instants(np.array(table.unreadable))
    tail: dict[str, Any] = {"edges": edges_json(table)} if table.edges else {}
    for findings in table.findings.values():  # all were found in one way
        tail["methods"] = methods_document(findings)
    features = (dump_json(feature) for rows in table.batches() for feature in _features(table, rows))
    yield from with_list(dump_json(head), "features", features, tail=dump_json(tail))


def encode_points_json(tables: Iterable[SeriesTable]) -> Iterator[bytes]:
    """Yield the document of points of several layers part by part: that of areas per layer."""
    yield b'{"results":['
    for number, table in enumerate(tables):
        yield b"," if number else b""
        yield from encode_areas_json(table)
    yield b"]}"


def encode_place_values_json(found: PlaceValues) -> bytes:
    """Return the matrix: one row per place, one number per instant; `null` where there is none."""
    lacking = {"unreadable": format_instants(np.array(found.unreadable))} if found.unreadable else {}
    return dump_json(
        {
            "places": found.places,
            "revision": found.revision,
            "layer": found.layer,
            "units": found.units,
            "reducer": found.reducer,
            "times": json_instants(found.times),
            **lacking,
            "offset": found.offset,
            "total": found.total,
            "ids": found.ids,
            "values": numbers_json(statistics(found.values)),
        }
    )


def edges_json(table: SeriesTable) -> dict[str, orjson.Fragment]:
    """Return the edges (bin + 1,) of histograms by name, as they are written."""
    return {name: numbers_json(np.array([without_noise(edge) for edge in each])) for name, each in table.edges.items()}


def cells_json(rows: Rows, row: int) -> dict[str, Any]:
    """Return the numbers of cells of a place, as they are written."""
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
            "series": {name: each[row] for name, each in columns.items()},
            **cells_json(rows, row),
        }
        optional = {
            "properties": place.properties if isinstance(place, Area) else None,
            "note": rows.notes[row],
            "reasons": rows.cells_without(row),
            "analysis": {
                _reducer(name): findings_document(found, rows.first + row) for name, found in table.findings.items()
            },
        }
        yield feature | {name: each for name, each in optional.items() if each}


def _reducer(column: str) -> str:
    """A point is an area of one cell, of which all values are the mean."""
    return MEAN.name if column == VALUE else column
