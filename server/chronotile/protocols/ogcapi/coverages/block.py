"""The building block of coverages (OGC 19-087, draft)."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import numpy as np

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.types import Json
from chronotile.pipeline.encoders.coverage.cog import has_geo_tags
from chronotile.pipeline.encoders.coverage.png import is_grey
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import ADDRESS, OBJECT, TEXT, enum_of, list_of, object_of
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.coverages.formats import FORMATS, JSON, JSON_SCHEMA, lacking_formats
from chronotile.protocols.ogcapi.coverages.routes import operations

RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
TITLES = {
    "GTiff": "Values as GeoTIFF",
    "NetCDF": "Values as NetCDF",
    "zarr": "Values as a zipped Zarr store",
    "json": "Values as CoverageJSON",
    "png": "Numbers of one field at one time as PNG",
}


def coverage_links(offered: OfferedCollection, context: DocumentContext) -> Sequence[Json]:
    """Return the links of a collection: one per format that can contain the whole coverage; none without values.

    The current draft describes fields by `schema`, older drafts by `coverage-rangetype` and `coverage-domainset`.
    """
    if not offered.has_values:
        return ()
    base = f"{context.base}/collections/{quote(offered.id)}"
    omitted = set[str]() if _is_one_picture(offered) else {"png"}
    omitted |= set[str]() if has_geo_tags(next(iter(offered.fields.values())).main_variable.grid.crs) else {"GTiff"}
    omitted |= {"json"} if _values(offered) > context.catalogue.limits.max_series_values else set()
    omitted |= lacking_formats()
    names = [name for name in FORMATS if name not in omitted]
    return [
        *(link(f"{RELATIONS}/coverage", f"{base}/coverage?f={name}", FORMATS[name], TITLES[name]) for name in names),
        link(f"{RELATIONS}/coverage-domainset", f"{base}/coverage/domainset", JSON, "Where and when there are values"),
        link(f"{RELATIONS}/coverage-rangetype", f"{base}/coverage/rangetype", JSON, "Of which kind the values are"),
        link(f"{RELATIONS}/schema", f"{base}/schema", JSON_SCHEMA, "The fields as a JSON Schema"),
    ]


def _is_one_picture(offered: OfferedCollection) -> bool:
    # Whether the whole is one grey field at one time; otherwise the URL of a PNG must select field and time.
    dtypes = [np.dtype(layer.main_variable.encoding.dtype) for layer in offered.fields.values()]
    return len(offered.times) <= 1 and len(dtypes) == 1 and is_grey(dtypes[0])


def _values(offered: OfferedCollection) -> int:
    """Return the number of values of the whole coverage."""
    fields = offered.fields.values()
    grid = next(iter(fields)).main_variable.grid
    return len(fields) * max(1, len(offered.times)) * grid.width * grid.height


STANDARD = "http://www.opengis.net/spec/ogcapi-coverages-1/1.0/conf"
CONFORMANCE = tuple(
    f"{STANDARD}/{name}"
    for name in (
        *("core", "subsetting", "subsetting-spatial", "subsetting-temporal", "scaling", "scaling-spatial"),
        *("fieldselection", "crs", "geotiff", "netcdf", "coveragejson", "oas30"),
    )
)
"""Classes of the published bundle and of the current draft, which splits subsetting and scaling by space and time."""

SCHEMAS: Mapping[str, Json] = {
    "CoverageJson": {
        "type": "object",
        "description": "A coverage as CoverageJSON 1.0 has it (OGC 21-069r2)",
        **object_of({"type": enum_of(["Coverage"]), **dict.fromkeys(("domain", "parameters", "ranges"), OBJECT)}),
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
                    "properties": {"type": enum_of(["Quantity"]), "name": TEXT, "uom": OBJECT},
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

block = BuildingBlock(operations=operations, conformance=CONFORMANCE, schemas=SCHEMAS, collection_links=coverage_links)
