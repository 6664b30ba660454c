"""The documents of a coverage as JSON: domain set, range type and schema of its fields."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.number_text import json_number
from chronotile.core.model.types import JsonMapping
from chronotile.pipeline.coverage.grid import resolve_grid
from chronotile.pipeline.coverage.numbers import output_encoding
from chronotile.pipeline.encoders.covjson_parts import categories_of, standard_name_uri
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.coverages.domain_set import domain_set, instants_of_all
from chronotile.protocols.ogcapi.coverages.params import layers_of


def domain_set_document(offered: OfferedCollection, _base: str, _language: str) -> bytes:
    """Return the domain set of the whole coverage; it contains no texts."""
    layers = layers_of(offered)
    whole = resolve_grid(CoverageRequest(layers=(layers[0].id,)), layers[0].main_variable.grid)
    return orjson.dumps(domain_set(whole.grid, instants_of_all(layers)))


def range_type_document(offered: OfferedCollection, _base: str, language: str) -> bytes:
    """Return the range type of all fields."""
    return orjson.dumps(range_type(layers_of(offered), language))


def schema_document(offered: OfferedCollection, base: str, language: str) -> bytes:
    """Return the schema of all fields; `base` is the public URL of `/ogcapi`."""
    url = f"{base}/collections/{quote(offered.id)}/schema"
    title = text_in(offered.title, language) or offered.id
    return orjson.dumps(field_schema(layers_of(offered), url=url, title=title, language=language))


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
"""OGC's name per dtype of numpy."""
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def range_type(layers: Sequence[Layer], language: str) -> JsonMapping:
    """Return the range type (CIS 1.1 §7.3, a SWE Common data record): one field per layer, in order.

    Numbers are those of the source; `encodingInfo` describes their conversion to values in the unit.
    """
    return {"type": "DataRecord", "field": [_field(layer, language) for layer in layers]}


def field_schema(layers: Sequence[Layer], *, url: str, title: str, language: str) -> JsonMapping:
    """Return the schema of the fields' values in answers (OGC 23-058r2)."""
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
    """Return the schema of a field, with extensions named as in OGC 23-058r2 and, with hyphens, in its drafts."""
    variable = layer.main_variable
    classes = categories_of(layer)
    schema: dict[str, Any] = {"title": _title(layer, language), "type": "number"}
    description = text_in(layer.abstract, language)
    if description:
        schema["description"] = description
    schema["x-ogc-propertySeq"] = schema["x-ogc-property-seq"] = number
    schema["x-ogc-variableType"] = "categoricalNominal" if variable.is_categorical else "continuous"
    if classes:
        schema["oneOf"] = [{"const": c.value, "title": c.label} for c in classes]
    elif not variable.is_categorical:
        schema["x-ogc-unit"] = variable.encoding.units or "1"
    if variable.standard_name:
        schema["x-ogc-definition"] = standard_name_uri(variable.standard_name)
    encoding, valid_range = variable.encoding, variable.encoding.valid_range
    if valid_range is not None and not classes:
        ends = map(json_number, sorted(number * encoding.scale + encoding.offset for number in valid_range))
        schema |= {name: end for name, end in zip(("minimum", "maximum"), ends, strict=True) if end is not None}
    return schema


def _title(layer: Layer, language: str) -> str:
    return text_in(layer.title, language) or layer.main_variable.title or layer.id
