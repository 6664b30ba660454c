"""Requirements of STAC extensions as JSON Schema in our own words; official schemas are only on the web."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
SHARE = {"type": "number", "minimum": 0, "maximum": 100}
SIZE = {"type": "integer", "minimum": 0}
DIMENSIONS = {"type": "object", "additionalProperties": TEXT}
LANGUAGE = {"type": "string", "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"}


def numbers(*counts: int) -> dict[str, Any]:
    """Return the schema of an array whose length is in `counts`."""
    return {"type": "array", "items": NUMBER, "anyOf": [{"minItems": each, "maxItems": each} for each in counts]}


DIMENSION = {
    "type": "object",
    "required": ["type", "extent"],
    "properties": {"description": TEXT},
    "oneOf": [
        {
            "required": ["axis"],
            "properties": {
                "type": {"const": "spatial"},
                "axis": {"enum": ["x", "y"]},
                "extent": numbers(2),
                "step": {"type": ["number", "null"]},
                "reference_system": {"type": ["string", "integer", "object"]},
            },
        },
        {
            "not": {"required": ["axis"]},
            "properties": {
                "type": {"const": "temporal"},
                "extent": {"type": "array", "items": {"type": ["string", "null"]}, "minItems": 2, "maxItems": 2},
                "values": {**TEXTS, "minItems": 1},
                "step": {"type": ["string", "null"]},
            },
        },
    ],
}
VARIABLE = {
    "type": "object",
    "required": ["dimensions", "type"],
    "properties": {"dimensions": TEXTS, "type": {"enum": ["data", "auxiliary"]}, "description": TEXT, "unit": TEXT},
}
RENDER = {
    "type": "object",
    "required": ["assets"],
    "properties": {
        "assets": TEXTS,
        "title": TEXT,
        "rescale": {"type": "array", "items": numbers(2)},
        "nodata": {"type": ["number", "string"]},
        "colormap_name": TEXT,
        "colormap": {"type": "object"},
        "color_formula": TEXT,
        "resampling": TEXT,
        "expression": {"type": ["string", "object", "array"]},
        "minmax_zoom": numbers(2),
    },
}
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "datacube": {
        "cube:dimensions": {"type": "object", "minProperties": 1, "additionalProperties": DIMENSION},
        "cube:variables": {"type": "object", "additionalProperties": VARIABLE},
    },
    "eo": {
        **dict.fromkeys(("eo:cloud_cover", "eo:snow_cover"), SHARE),
        "eo:common_name": TEXT,
        **dict.fromkeys(("eo:center_wavelength", "eo:full_width_half_max", "eo:solar_illumination"), NUMBER),
    },
    "file": {
        "file:checksum": {"type": "string", "pattern": "^[a-f0-9]+$"},
        **dict.fromkeys(("file:size", "file:header_size"), SIZE),
        "file:byte_order": {"enum": ["big-endian", "little-endian"]},
        "file:values": {"type": "array", "minItems": 1},
        "file:local_path": {"type": "string", "pattern": r"^[^\r\n\t\\:'\"/]+(/[^\r\n\t\\:'\"/]+)*/?$"},
    },
    "language": {"language": LANGUAGE, "languages": {"type": "array", "items": LANGUAGE, "minItems": 1}},
    "projection": {
        "proj:code": {"type": ["string", "null"], "pattern": "^[^:]+:.+$"},
        "proj:epsg": {"type": ["integer", "null"]},
        "proj:wkt2": {"type": ["string", "null"]},
        "proj:projjson": {"type": ["object", "null"]},
        "proj:geometry": {"type": "object"},
        "proj:bbox": numbers(4, 6),
        "proj:centroid": {"type": "object", "required": ["lat", "lon"]},
        "proj:shape": {"type": "array", "items": SIZE, "minItems": 2, "maxItems": 2},
        "proj:transform": numbers(6, 9),
    },
    "raster": {
        "raster:sampling": {"enum": ["area", "point"]},
        "raster:bits_per_sample": SIZE,
        **dict.fromkeys(("raster:spatial_resolution", "raster:scale", "raster:offset"), NUMBER),
        "raster:histogram": {"type": "object", "required": ["count", "min", "max", "buckets"]},
    },
    "render": {"renders": {"type": "object", "minProperties": 1, "additionalProperties": RENDER}},
    "web-map-links": {
        "wmts:layer": {"type": ["string", "array"], "minLength": 1, "minItems": 1},
        "wmts:dimensions": DIMENSIONS,
        "wms:dimensions": DIMENSIONS,
        "wms:layers": {**TEXTS, "minItems": 1},
        "wms:styles": TEXTS,
        "wms:transparent": {"type": "boolean"},
    },
}
"""Fields of each extension, at any level of a document."""
MAPS = {"xyz": (), "tilejson": (), "wmts": ("wmts:layer",), "wms": ("wms:layers",)}
"""Relations of web map links, with their required members."""
NAME = re.compile(r"^https://stac-extensions\.github\.io/([a-z-]+)/v[0-9.]+/schema\.json$")
OF_PREFIXES = {field.partition(":")[0]: name for name, fields in FIELDS.items() for field in fields if ":" in field}


def extension_faults(document: Mapping[str, Any]) -> list[str]:
    """Return the faults of extension fields in an item, a collection or a catalogue."""
    listed = {match[1] for each in document.get("stac_extensions", ()) if (match := NAME.match(each))}
    used, faults = set[str](), list[str]()
    for place, members, is_summary in _places(document):
        for field, value in members.items():
            name = _extension_of(field)
            if name is None:
                continue
            used.add(name)
            if name not in listed:
                faults.append(f"{place}: {field}, and {name} is not listed")
            if field not in FIELDS[name]:
                faults.append(f"{place}: {name} has no {field}")
                continue
            values = value if is_summary and isinstance(value, list) else [value]
            faults += [f"{place}.{field}: {text}" for each in values for text in _invalid(each, FIELDS[name][field])]
    for link in document["links"]:
        if link["rel"] in MAPS:
            used.add("web-map-links")
            faults += [f"{link['rel']} has no {name}" for name in MAPS[link["rel"]] if name not in link]
    if "web-map-links" in used - listed:
        faults.append("web-map-links is not listed")
    unused = {each for each in listed if each in FIELDS} - used
    return faults + [f"{each} is listed and not used" for each in sorted(unused)]


def _places(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Yield each object that may have extension fields, with its path and whether it belongs to summaries."""
    yield "", document, False
    yield "properties", document.get("properties", {}), False
    yield "summaries", document.get("summaries", {}), True
    for group in ("assets", "item_assets"):
        for name, asset in document.get(group, {}).items():
            yield f"{group}.{name}", asset, False
            for number, band in enumerate(asset.get("bands", ())):
                yield f"{group}.{name}.bands[{number}]", band, False
    for number, link in enumerate(document["links"]):
        yield f"links[{number}]", link, False


def _extension_of(field: str) -> str | None:
    """Return the extension of a field, or None if its rules are not listed."""
    prefix, colon, _rest = field.partition(":")
    if colon:
        return OF_PREFIXES.get(prefix)
    return next((name for name, fields in FIELDS.items() if field in fields), None)


def _invalid(value: object, schema: Mapping[str, Any]) -> list[str]:
    return [each.message[:300] for each in Draft202012Validator(schema).iter_errors(value)]
