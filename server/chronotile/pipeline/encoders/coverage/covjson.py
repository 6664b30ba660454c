"""Coverages as CoverageJSON (OGC 21-069r2)."""

from typing import Any

import numpy as np
import orjson

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.model.coverage import Coverage, CoverageField
from chronotile.core.model.number_text import numbers_json, text_values
from chronotile.core.model.types import AnyArray, Float64Array
from chronotile.pipeline.encoders.coverage.attributes import about, is_scaled
from chronotile.pipeline.encoders.coverage.strips import coverage_values
from chronotile.pipeline.encoders.covjson_parts import layer_parameter, reference_systems
from chronotile.pipeline.encoders.document_parts import format_instants


def encode_coverage_covjson(coverage: Coverage, *, is_active: IsActive = always_active) -> bytes:
    """Return a Coverage with the domain type Grid (§9.11.1); missing values are `null`.

    Axes have the centres of cells. All values are in memory. Numbers are written as in
    docs/reference/layers-and-series.md.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The client closed the connection.
    """
    metadata = about(coverage)
    document = {
        "type": "Coverage",
        "title": metadata.title,
        **metadata.credits.texts,
        "domain": _domain(coverage),
        "parameters": {field.name: layer_parameter(field.layer) for field in coverage.fields},
        "ranges": {
            field.name: _range(coverage, field, coverage_values(coverage, number, is_active=is_active))
            for number, field in enumerate(coverage.fields)
        },
    }
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _domain(coverage: Coverage) -> dict[str, Any]:
    grid, has_time = coverage.grid, len(coverage.times) > 0
    x, y = grid.x_of(np.array([0.5, grid.width - 0.5])), grid.y_of(np.array([0.5, grid.height - 0.5]))
    axes: dict[str, Any] = {"x": _regular(x, grid.width), "y": _regular(y, grid.height)}
    if has_time:
        axes["t"] = {"values": format_instants(coverage.times.instants)}
    return {
        "type": "Domain",
        "domainType": "Grid",
        "axes": axes,
        "referencing": reference_systems(grid.crs, has_time=has_time),
    }


def _regular(ends: AnyArray, count: int) -> dict[str, Any]:
    return {"start": float(ends[0]), "stop": float(ends[1]), "num": count}


def _range(coverage: Coverage, field: CoverageField, values: Float64Array) -> dict[str, Any]:
    has_time = len(coverage.times) > 0
    is_whole = np.dtype(field.encoding.dtype).kind in "iu" and not is_scaled(field)
    return {
        "type": "NdArray",
        "dataType": "integer" if is_whole else "float",
        "axisNames": ["t", "y", "x"] if has_time else ["y", "x"],
        "shape": values.shape if has_time else values.shape[1:],
        "values": numbers_json(text_values(values.ravel(), field.encoding)),
    }
