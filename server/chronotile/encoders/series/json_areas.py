"""Series of areas as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import orjson

from chronotile.encoders.document_parts import with_list
from chronotile.encoders.instants import JSON_OPTIONS, format_instants, json_instants
from chronotile.encoders.series.analysis import findings_document, methods_document
from chronotile.encoders.series.counts import edges_json, whole_counts
from chronotile.model.number_text import numbers_json, text_values
from chronotile.model.raster import Encoding
from chronotile.model.series.analysis import Findings
from chronotile.model.series.series import AreaSeries, AreasSeries


def encode_area_series_json(series: AreasSeries) -> bytes:
    """Return the document of docs/reference/layers-and-series.md.

    Values are `null` where no cell, or too few, have one. `properties`, `note`, `reasons`, `edges` and `unreadable`
    (the times at which a cell of the area cannot be read) are omitted where empty. `total` is one number, or with a
    step one per period. With an analysis, `analysis` has its results by reducer, and `methods` how they were found.
    """
    document = _shared(series) | {
        "features": [_feature(each, n, series.findings, series.encoding) for n, each in enumerate(series.areas)]
    }
    if series.edges:
        document["edges"] = edges_json(series.edges)
    for findings in series.findings.values():  # all were found in one way
        document["methods"] = methods_document(findings)
    return orjson.dumps(document, option=JSON_OPTIONS)


def encode_area_series_parts(parts: Iterable[AreasSeries]) -> Iterator[bytes]:
    """Yield the document of series of areas that come in parts, at least one: no analyses, no histograms."""
    found = iter(parts)
    first = next(found)
    members = (_member(each, part.encoding) for part in chain([first], found) for each in part.areas)
    yield from with_list(orjson.dumps(_shared(first), option=JSON_OPTIONS), "features", members)


def _shared(series: AreasSeries) -> dict[str, Any]:
    shared = {"layer": series.layer, "units": series.units, "times": json_instants(series.times)}
    if series.unreadable:
        shared["unreadable"] = format_instants(np.array(series.unreadable))
    return shared


def _member(series: AreaSeries, encoding: Encoding | None) -> bytes:
    return orjson.dumps(_feature(series, 0, {}, encoding), option=JSON_OPTIONS)


def _feature(
    series: AreaSeries, number: int, findings: Mapping[str, Findings], encoding: Encoding | None
) -> dict[str, Any]:
    feature: dict[str, Any] = {
        "id": series.area.id,
        "series": {
            name: numbers_json(text_values(whole_counts(name, values), encoding))
            for name, values in series.reduced.items()
        },
        "valid": np.ascontiguousarray(series.valid),
        "total": series.total if series.totals is None else np.ascontiguousarray(series.totals),
    }
    told = {
        "properties": series.area.properties,
        "note": series.area.note,
        "reasons": {name: np.ascontiguousarray(counts) for name, counts in series.reasons.items()},
        "analysis": {name: findings_document(found, number) for name, found in findings.items()},
    }
    return feature | {name: said for name, said in told.items() if said}
