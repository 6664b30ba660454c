"""The documents of a coverage, as bytes."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.crs import Crs, is_north_first
from chronotile.core.model.grid import Grid
from chronotile.core.model.number_text import json_number
from chronotile.core.model.raster import Encoding
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import InstantArray, JsonMapping
from chronotile.pipeline.coverage.grid import place_of
from chronotile.pipeline.coverage.numbers import output_encoding
from chronotile.pipeline.encoders.document_parts import categories_of, standard_name_uri
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.coverages.params import layers_of
from chronotile.protocols.ogcapi.subset import axis_names


def domain_set_document(offered: OfferedCollection, _base: str, _language: str) -> bytes:
    """Return the domain set of the whole coverage, which needs no words."""
    layers = layers_of(offered)
    whole = place_of(CoverageRequest(layers=(layers[0].id,)), layers[0].main_variable.grid)
    return orjson.dumps(domain_set(whole.grid, instants_of_all(layers)))


def range_type_document(offered: OfferedCollection, _base: str, language: str) -> bytes:
    """Return the range type of all fields."""
    return orjson.dumps(range_type(layers_of(offered), language))


def schema_document(offered: OfferedCollection, base: str, language: str) -> bytes:
    """Return the schema of all fields; `base` is the public address of the tree."""
    url = f"{base}/collections/{quote(offered.id)}/schema"
    title = text_in(offered.title, language) or offered.id
    return orjson.dumps(field_schema(layers_of(offered), url=url, title=title, language=language))


# Where and when a coverage has values, as CIS 1.1 (OGC 09-146r8) writes it in JSON, in the types of OGC 19-087.


INDEX_CRS = "http://www.opengis.net/def/crs/OGC/0/Index{count}D"
TIME_CRS = "http://www.opengis.net/def/crs/OGC/0/GregorianDateTime"
COMPOUND_CRS = "http://www.opengis.net/def/crs-compound?1={first}&2={second}"
INDEX_LABELS = "ijk"


def domain_set(grid: Grid, instants: InstantArray) -> JsonMapping:
    """Return the domain set of a coverage: axes in the order of its CRS, then time.

    Bounds are the edges of the outermost cells, since values are of areas (OGC 19-087 §7): between them lie as many
    resolutions as there are cells.

    Args:
        grid: North-up.
        instants: (time,); empty for a coverage without time, which has no such axis.
    """
    order = "yx" if is_north_first(grid.crs) else "xy"
    axes = [_axis(grid, axis) for axis in order]
    sizes = [grid.width if axis == "x" else grid.height for axis in order]
    if instants.size:
        coordinates = [format_instant(instant) for instant in instants]
        axes.append({"type": "IrregularAxis", "axisLabel": "time", "uomLabel": "ISO8601", "coordinate": coordinates})
        sizes.append(instants.size)
    general_grid = {
        "type": "GeneralGridCoverage",
        **_srs_name(grid.crs, has_time=bool(instants.size)),
        "axisLabels": [axis["axisLabel"] for axis in axes],
        "axis": axes,
        "gridLimits": _grid_limits(sizes),
    }
    return {"type": "DomainSet", "generalGrid": general_grid}


def instants_of_all(layers: Sequence[Layer]) -> InstantArray:
    """Return the instants that any layer has, ascending."""
    return np.unique(np.concatenate([layer.times.instants for layer in layers]))


def _axis(grid: Grid, axis: str) -> JsonMapping:
    """CIS has bounds of any type, OGC 19-087's schema texts alone."""
    number = "xy".index(axis)
    return {
        "type": "RegularAxis",
        "axisLabel": axis_names(is_geographic=grid.crs.is_geographic)[number],
        "lowerBound": _plain(grid.bbox[number]),
        "upperBound": _plain(grid.bbox[number + 2]),
        "uomLabel": _unit(grid.crs),
        "resolution": grid.resolution[number],
    }


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _unit(crs: Crs) -> str:
    if crs.is_geographic:
        return "deg"
    name = crs.definition.axis_info[0].unit_name if crs.definition.axis_info else "metre"
    return "m" if name == "metre" else str(name)


def _srs_name(crs: Crs, *, has_time: bool) -> JsonMapping:
    """A CRS that no authority names has none."""
    if crs.uri is None:
        return {}
    return {"srsName": COMPOUND_CRS.format(first=crs.uri, second=TIME_CRS) if has_time else crs.uri}


def _grid_limits(sizes: Sequence[int]) -> JsonMapping:
    labels = list(INDEX_LABELS[: len(sizes)])
    return {
        "type": "GridLimits",
        "srsName": INDEX_CRS.format(count=len(sizes)),
        "axisLabels": labels,
        "axis": [
            {"type": "IndexAxis", "axisLabel": label, "lowerBound": 0, "upperBound": size - 1}
            for label, size in zip(labels, sizes, strict=True)
        ],
    }


MISSING = "http://www.opengis.net/def/nil/OGC/0/missing"
DATA_TYPES = {
    "int8": "signedByte",
    "uint8": "unsignedByte",
    "int16": "signedShort",
    "uint16": "unsignedShort",
    "int32": "signedInt",
    "uint32": "unsignedInt",
    "int64": "signedLong",
    "uint64": "unsignedLong",
    "float16": "float16",
    "float32": "float32",
    "float64": "float64",
}
"""OGC's names of types of numbers, by numpy's."""
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def range_type(layers: Sequence[Layer], language: str) -> JsonMapping:
    """Return the range type (CIS 1.1 §7.3, a SWE Common data record): one field per layer, in order.

    Numbers are the source's own; `encodingInfo` describes how they become values, which are in the unit.
    """
    return {"type": "DataRecord", "field": [_field(layer, language) for layer in layers]}


def field_schema(layers: Sequence[Layer], *, url: str, title: str, language: str) -> JsonMapping:
    """Return the schema of the fields (OGC 23-058r2): what stands for each in an answer of values."""
    return {
        "$schema": JSON_SCHEMA,
        "$id": url,
        "type": "object",
        "title": title,
        "properties": {
            layer.main_variable.name: _property(layer, number, language) for number, layer in enumerate(layers, start=1)
        },
    }


def _field(layer: Layer, language: str) -> JsonMapping:
    variable = layer.main_variable
    encoding = output_encoding(variable.encoding)
    data_type = DATA_TYPES.get(encoding.dtype, encoding.dtype)
    field: dict[str, Any] = {
        "type": "Quantity",
        "name": variable.name,
        "label": _title(layer, language),
        "definition": f"ogcType:{data_type}",
        "uom": {"type": "UnitReference", "code": encoding.units or "1"},
        "encodingInfo": {
            "dataType": f"http://www.opengis.net/def/dataType/OGC/0/{data_type}",
            "scale": encoding.scale,
            "offset": encoding.offset,
        },
        "nilValues": [{"reason": MISSING, "value": _number(encoding)}],
    }
    description = text_in(layer.abstract, language)
    return {**field, "description": description} if description else field


def _number(encoding: Encoding) -> str:
    if encoding.nodata is None or np.isnan(encoding.nodata):
        return "NaN"
    return f"{encoding.nodata:.0f}" if float(encoding.nodata).is_integer() else repr(encoding.nodata)


def _property(layer: Layer, number: int, language: str) -> JsonMapping:
    """The names of extensions are those of OGC 23-058r2, and of its drafts, which had hyphens."""
    variable = layer.main_variable
    classes = categories_of(layer)
    schema: dict[str, Any] = {"title": _title(layer, language), "type": "number"}
    description = text_in(layer.abstract, language)
    if description:
        schema["description"] = description
    schema["x-ogc-propertySeq"] = schema["x-ogc-property-seq"] = number
    schema["x-ogc-variableType"] = "categoricalNominal" if variable.is_categorical else "continuous"
    if classes:
        schema["oneOf"] = [{"const": each.value, "title": each.label} for each in classes]
    elif not variable.is_categorical:
        schema["x-ogc-unit"] = variable.encoding.units or "1"
    if variable.standard_name:
        schema["x-ogc-definition"] = standard_name_uri(variable.standard_name)
    encoding, valid_range = variable.encoding, variable.encoding.valid_range
    if valid_range is not None and not classes:
        ends = map(json_number, sorted(each * encoding.scale + encoding.offset for each in valid_range))
        schema |= {name: end for name, end in zip(("minimum", "maximum"), ends, strict=True) if end is not None}
    return schema


def _title(layer: Layer, language: str) -> str:
    return text_in(layer.title, language) or layer.main_variable.title or layer.id
