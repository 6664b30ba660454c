"""Paths of coverages in OpenAPI 3.0 (OGC 19-087 §15)."""

from collections.abc import Mapping, Sequence

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collections
from chronotile.model.crs import CRS84
from chronotile.protocols.common.openapi import (
    ADDRESS,
    BINARY,
    BOX,
    COUNT,
    OBJECT,
    TEXT,
    Json,
    enum_of,
    enum_of_few,
    get,
    in_path,
    in_query,
    list_of,
    ref,
)
from chronotile.protocols.common.query.parameter import format_of
from chronotile.protocols.ogcapi.coverages.formats import FORMATS, JSON, JSON_SCHEMA

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
    f, lang = format_of(("json",)), _language(catalogue)
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
    return [
        in_query(
            "bbox",
            "Lower and upper corner in the axis order of `bbox-crs`, longitude first without it; heights are left out",
            BOX,
            example=[round(each, 6) for each in (*middle, east, north)],
        ),
        in_query("bbox-crs", "Of `bbox`, as a URI or a safe CURIE; otherwise CRS84", TEXT, example=CRS84.uri),
        in_query(
            "subset",
            "Parts along axes: `Lat(50.8:50.9)`, open ends `*`, one position `Lat(50.8)`, "
            '`time("2020-06-01":"2020-06-30")`; `x` and `y` in a projected CRS; may be repeated',
            {**TEXT, "example": f"Lat({south:.6g}:{middle[1]:.6g})"},
        ),
        in_query("subset-crs", "Of `subset`; otherwise CRS84 for Lat and Lon, the native one for x and y", TEXT),
        in_query("datetime", "An instant or an interval, either end of which may be open (`..`); otherwise all", TEXT),
        in_query(
            "properties", "Fields, separated by commas, in order; otherwise all", TEXT, example=layer.main_variable.name
        ),
        in_query("exclude-properties", "Fields that are left out", TEXT),
        in_query("crs", "Of the answer; otherwise the native one", TEXT, example=CRS84.uri),
        in_query(
            "scale-factor", "How many cells become one along both axes", {"type": "number", "minimum": 1e-6}, example=2
        ),
        in_query("scale-axes", "The same for each axis: `Lat(2),Lon(4)`", TEXT),
        in_query("scale-size", "How many cells each axis has: `Lat(100),Lon(200)`", TEXT),
        in_query("width", "How many columns; rows follow where they are not given", COUNT),
        in_query("height", "How many rows; columns follow where they are not given", COUNT),
        in_query("resolution", "How wide a cell is along each axis, in units of the CRS: `Lat(0.1),Lon(0.1)`", TEXT),
        in_query("interpolation", "How cells that are not native ones are made", enum_of(("nearest", "bilinear"))),
        format_of(tuple(FORMATS)),
    ]


def _collection(offered: Sequence[Offered]) -> Json:
    names = [each.id for each in offered]
    description = "Id of a collection that has values, or id or alias of such a layer"
    return in_path("collectionId", description, enum_of_few(names), example=names[0])


def _language(catalogue: Catalogue) -> Json:
    return in_query("lang", "In place of what Accept-Language asks for", enum_of(catalogue.service.languages))
