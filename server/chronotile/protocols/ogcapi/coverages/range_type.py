"""Of which kind the values of a coverage are: CIS's range type, and the same as a JSON Schema of fields."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chronotile.encoders.covjson_parts import categories_of, standard_name_uri
from chronotile.model.collection import Layer
from chronotile.model.number_text import json_number
from chronotile.model.raster import Encoding
from chronotile.pipeline.coverage.numbers import output_encoding
from chronotile.protocols.common.localised_text import text_in

Json = Mapping[str, Any]

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


def range_type(layers: Sequence[Layer], language: str) -> Json:
    """Return the range type (CIS 1.1 §7.3, a SWE Common data record): one field per layer, in order.

    Numbers are the source's own; `encodingInfo` describes how they become values, which are in the unit.
    """
    return {"type": "DataRecord", "field": [_field(layer, language) for layer in layers]}


def field_schema(layers: Sequence[Layer], *, url: str, title: str, language: str) -> Json:
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


def _field(layer: Layer, language: str) -> Json:
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


def _property(layer: Layer, number: int, language: str) -> Json:
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
    if variable.encoding.valid_range is not None and not classes:
        ends = map(json_number, _valid_values(variable.encoding, variable.encoding.valid_range))
        schema |= {name: end for name, end in zip(("minimum", "maximum"), ends, strict=True) if end is not None}
    return schema


def _valid_values(encoding: Encoding, numbers: tuple[float, float]) -> tuple[float, float]:
    low, high = sorted(number * encoding.scale + encoding.offset for number in numbers)
    return low, high


def _title(layer: Layer, language: str) -> str:
    return text_in(layer.title, language) or layer.main_variable.title or layer.id
