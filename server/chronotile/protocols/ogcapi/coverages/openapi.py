"""Paths of coverages in OpenAPI 3.0 (OGC 19-087 §15)."""

from collections.abc import Mapping, Sequence

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collections
from chronotile.model.crs import CRS84
from chronotile.protocols.ogcapi.block import Json
from chronotile.protocols.ogcapi.coverages.formats import FORMATS, JSON, JSON_SCHEMA

TAG = "Coverages"
REFUSALS = {"400": "BadRequest", "404": "NotFound", "406": "NotAcceptable", "503": "Unavailable"}
MAX_ENUMERATED = 100
TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer", "minimum": 1}
BINARY: Json = {"type": "string", "format": "binary"}

SCHEMAS: Mapping[str, Json] = {
    "CoverageJson": {
        "type": "object",
        "description": "A coverage as CoverageJSON 1.0 has it (OGC 21-069r2)",
        "required": ["type", "domain", "parameters", "ranges"],
        "properties": {
            "type": {"type": "string", "enum": ["Coverage"]},
            "domain": {"type": "object"},
            "parameters": {"type": "object"},
            "ranges": {"type": "object"},
        },
    },
    "CoverageDomainSet": {
        "type": "object",
        "description": "Where and when there are values (CIS 1.1)",
        "required": ["type", "generalGrid"],
        "properties": {
            "type": {"type": "string", "enum": ["DomainSet"]},
            "generalGrid": {
                "type": "object",
                "required": ["type", "axisLabels", "axis", "gridLimits"],
                "properties": {
                    "type": {"type": "string", "enum": ["GeneralGridCoverage"]},
                    "srsName": {"type": "string", "format": "uri"},
                    "axisLabels": {"type": "array", "items": TEXT},
                    "axis": {"type": "array", "minItems": 2, "items": {"type": "object"}},
                    "gridLimits": {"type": "object"},
                },
            },
        },
    },
    "CoverageRangeType": {
        "type": "object",
        "description": "Of which kind the values are (CIS 1.1)",
        "required": ["type", "field"],
        "properties": {
            "type": {"type": "string", "enum": ["DataRecord"]},
            "field": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["type", "name", "definition", "uom"],
                    "properties": {
                        "type": {"type": "string", "enum": ["Quantity"]},
                        "name": TEXT,
                        "uom": {"type": "object"},
                    },
                },
            },
        },
    },
    "CoverageSchema": {
        "type": "object",
        "description": "A JSON Schema of the fields (OGC 23-058r2)",
        "required": ["type", "properties"],
        "properties": {
            "type": {"type": "string", "enum": ["object"]},
            "title": TEXT,
            "properties": {"type": "object", "additionalProperties": {"type": "object", "required": ["title", "type"]}},
        },
    },
}


def coverage_paths(catalogue: Catalogue) -> Mapping[str, Json]:
    """Return the path items, below the tree's own address; none where no collection has values."""
    offered = [each for each in offered_collections(catalogue) if each.has_values]
    if not offered:
        return {}
    collection = _collection(offered)
    answers = dict.fromkeys(FORMATS.values(), BINARY)
    answers[FORMATS["json"]] = {"$ref": "#/components/schemas/CoverageJson"}
    f, lang = (
        _query("f", "The format, in place of what the Accept header asks for", _word(("json",))),
        _language(catalogue),
    )
    root = "/collections/{collectionId}"
    return {
        f"{root}/coverage": _get(
            "getCoverage", "Numbers of a collection", [collection, *_parameters(offered[0])], answers
        ),
        f"{root}/coverage/domainset": _get(
            "getCoverageDomainSet",
            "Where and when there are values",
            [collection, f],
            {JSON: {"$ref": "#/components/schemas/CoverageDomainSet"}},
        ),
        f"{root}/coverage/rangetype": _get(
            "getCoverageRangeType",
            "Of which kind the values are",
            [collection, f, lang],
            {JSON: {"$ref": "#/components/schemas/CoverageRangeType"}},
        ),
        f"{root}/schema": _get(
            "getCollectionSchema",
            "The fields as a JSON Schema",
            [collection, f, lang],
            {JSON_SCHEMA: {"$ref": "#/components/schemas/CoverageSchema"}},
        ),
    }


def _parameters(example: Offered) -> list[Json]:
    """All examples of the parameters go together; that of `subset`, which is in place of `bbox`, is its schema's."""
    layer = next(iter(example.fields.values()))
    west, south, east, north = example.collection.bbox
    middle = (west + east) / 2, (south + north) / 2
    return [
        _query(
            "bbox",
            "Lower and upper corner in the axis order of `bbox-crs`, longitude first without it; heights are left out",
            {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}},
            example=[round(each, 6) for each in (*middle, east, north)],
        ),
        _query("bbox-crs", "Of `bbox`, as a URI or a safe CURIE; otherwise CRS84", TEXT, example=CRS84.uri),
        _query(
            "subset",
            "Parts along axes: `Lat(50.8:50.9)`, open ends `*`, one position `Lat(50.8)`, "
            '`time("2020-06-01":"2020-06-30")`; `x` and `y` in a projected CRS; may be repeated',
            {**TEXT, "example": f"Lat({south:.6g}:{middle[1]:.6g})"},
        ),
        _query("subset-crs", "Of `subset`; otherwise CRS84 for Lat and Lon, the native one for x and y", TEXT),
        _query("datetime", "An instant or an interval, either end of which may be open (`..`); otherwise all", TEXT),
        _query(
            "properties", "Fields, separated by commas, in order; otherwise all", TEXT, example=layer.main_variable.name
        ),
        _query("exclude-properties", "Fields that are left out", TEXT),
        _query("crs", "Of the answer; otherwise the native one", TEXT, example=CRS84.uri),
        _query(
            "scale-factor", "How many cells become one along both axes", {"type": "number", "minimum": 1e-6}, example=2
        ),
        _query("scale-axes", "The same for each axis: `Lat(2),Lon(4)`", TEXT),
        _query("scale-size", "How many cells each axis has: `Lat(100),Lon(200)`", TEXT),
        _query("width", "How many columns; rows follow where they are not given", WHOLE),
        _query("height", "How many rows; columns follow where they are not given", WHOLE),
        _query("resolution", "How wide a cell is along each axis, in units of the CRS: `Lat(0.1),Lon(0.1)`", TEXT),
        _query("interpolation", "How cells that are not native ones are made", _word(("nearest", "bilinear"))),
        _query("f", "The format, in place of what the Accept header asks for", _word(tuple(FORMATS))),
    ]


def _collection(offered: Sequence[Offered]) -> Json:
    names = [each.id for each in offered]
    schema = {**TEXT, "enum": names} if len(names) <= MAX_ENUMERATED else TEXT
    description = "Id of a collection that has values, or id or alias of such a layer"
    return {
        "name": "collectionId",
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": names[0],
    }


def _language(catalogue: Catalogue) -> Json:
    return _query("lang", "In place of what Accept-Language asks for", _word(catalogue.service.languages))


def _word(words: Sequence[str]) -> Json:
    return {"type": "string", "enum": list(words)}


def _query(name: str, description: str, schema: Json, *, example: object = None) -> Json:
    listed = {"style": "form", "explode": False} if schema["type"] == "array" else {}
    given = {} if example is None else {"example": example}
    return {"name": name, "in": "query", "description": description, **listed, "schema": schema, **given}


def _get(name: str, summary: str, parameters: list[Json], answers: Mapping[str, Json]) -> Json:
    content = {media_type: {"schema": schema} for media_type, schema in answers.items()}
    responses = {
        "200": {"description": summary, "content": content},
        **{status: {"$ref": f"#/components/responses/{refusal}"} for status, refusal in REFUSALS.items()},
    }
    operation = {
        "operationId": name,
        "summary": summary,
        "tags": [TAG],
        "parameters": parameters,
        "responses": responses,
    }
    return {"get": operation}
