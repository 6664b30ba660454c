"""Paths of coverages in OpenAPI 3.0 (OGC 19-087 §15)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collections
from chronotile.model.crs import CRS84
from chronotile.protocols.common.openapi import (
    ADDRESS,
    BINARY,
    OBJECT,
    TEXT,
    Json,
    enum_of,
    enum_of_few,
    get,
    in_path,
    list_of,
    ref,
)
from chronotile.protocols.common.query.parameter import F, documents, format_of, language
from chronotile.protocols.ogcapi.coverages.formats import FORMATS, JSON, JSON_SCHEMA
from chronotile.protocols.ogcapi.coverages.params import OF_COVERAGE, SUBSET

TAG = "Coverages"

SCHEMAS: Mapping[str, Json] = {
    "CoverageJson": {
        "type": "object",
        "description": "A coverage as CoverageJSON 1.0 has it (OGC 21-069r2)",
        "required": ["type", "domain", "parameters", "ranges"],
        "properties": {
            "type": enum_of(["Coverage"]),
            "domain": OBJECT,
            "parameters": OBJECT,
            "ranges": OBJECT,
        },
    },
    "CoverageDomainSet": {
        "type": "object",
        "description": "Where and when there are values (CIS 1.1)",
        "required": ["type", "generalGrid"],
        "properties": {
            "type": enum_of(["DomainSet"]),
            "generalGrid": {
                "type": "object",
                "required": ["type", "axisLabels", "axis", "gridLimits"],
                "properties": {
                    "type": enum_of(["GeneralGridCoverage"]),
                    "srsName": ADDRESS,
                    "axisLabels": list_of(TEXT),
                    "axis": {"type": "array", "minItems": 2, "items": OBJECT},
                    "gridLimits": OBJECT,
                },
            },
        },
    },
    "CoverageRangeType": {
        "type": "object",
        "description": "Of which kind the values are (CIS 1.1)",
        "required": ["type", "field"],
        "properties": {
            "type": enum_of(["DataRecord"]),
            "field": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["type", "name", "definition", "uom"],
                    "properties": {
                        "type": enum_of(["Quantity"]),
                        "name": TEXT,
                        "uom": OBJECT,
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
            "type": enum_of(["object"]),
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
    answers[FORMATS["json"]] = ref("CoverageJson")
    f, lang = format_of(("json",)), language(catalogue.service.languages)
    root = "/collections/{collectionId}"
    return {
        f"{root}/coverage": get(
            "getCoverage",
            "Numbers of a collection",
            tag=TAG,
            parameters=[collection, *_parameters(offered[0])],
            answers=answers,
        ),
        f"{root}/coverage/domainset": get(
            "getCoverageDomainSet",
            "Where and when there are values",
            tag=TAG,
            parameters=[collection, f],
            answers={JSON: ref("CoverageDomainSet")},
        ),
        f"{root}/coverage/rangetype": get(
            "getCoverageRangeType",
            "Of which kind the values are",
            tag=TAG,
            parameters=[collection, f, lang],
            answers={JSON: ref("CoverageRangeType")},
        ),
        f"{root}/schema": get(
            "getCollectionSchema",
            "The fields as a JSON Schema",
            tag=TAG,
            parameters=[collection, f, lang],
            answers={JSON_SCHEMA: ref("CoverageSchema")},
        ),
    }


def _parameters(example: Offered) -> list[Json]:
    """All examples of the parameters go together; that of `subset`, which is in place of `bbox`, is its schema's."""
    layer = next(iter(example.fields.values()))
    west, south, east, north = example.collection.bbox
    middle = (west + east) / 2, (south + north) / 2
    subset = replace(SUBSET, schema={**TEXT, "example": f"Lat({south:.6g}:{middle[1]:.6g})"})
    formats = replace(F, schema=enum_of(tuple(FORMATS)))
    examples = {
        "bbox": [round(each, 6) for each in (*middle, east, north)],
        "bbox-crs": CRS84.uri,
        "properties": layer.main_variable.name,
        "crs": CRS84.uri,
        "scale-factor": 2,
    }
    special = {"subset": subset, "f": formats}
    return documents([special.get(each.name, each) for each in OF_COVERAGE], examples)


def _collection(offered: Sequence[Offered]) -> Json:
    names = [each.id for each in offered]
    description = "Id of a collection that has values, or id or alias of such a layer"
    return in_path("collectionId", description, enum_of_few(names), example=names[0])
