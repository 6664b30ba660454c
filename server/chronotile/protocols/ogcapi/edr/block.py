"""OGC API - Environmental Data Retrieval (OGC 19-086r6)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.area import LENGTHS_M
from chronotile.core.model.number_text import json_number
from chronotile.core.model.time.instants import ONE_NS, TimeDomain, period_text
from chronotile.core.model.types import Json
from chronotile.pipeline.encoders.document_parts import UCUM, categories_of, category_id, standard_name_uri
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import (
    INDEX,
    NUMBER,
    OBJECT,
    TEXT,
    enum_of,
    list_of,
    object_of,
    ref,
    without_empty,
)
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.edr import queries
from chronotile.protocols.ogcapi.edr.routes import operations

# OpenAPI 3.0 schemas of what data queries give.

SCHEMAS: Mapping[str, Json] = {
    "EdrCoverageJson": {
        "description": "A coverage, or several, as CoverageJSON 1.0 has them (OGC 21-069r2)",
        "oneOf": [
            object_of({"type": enum_of(["Coverage"]), "domain": OBJECT, "parameters": OBJECT, "ranges": OBJECT}),
            object_of(
                {
                    "type": enum_of(["CoverageCollection"]),
                    "parameters": OBJECT,
                    "referencing": list_of(OBJECT),
                    "coverages": list_of(OBJECT),
                }
            ),
        ],
    },
    "EdrProperties": object_of(
        {"datetime": TEXT, "parameter-name": list_of(TEXT), "label": TEXT, "edrqueryendpoint": TEXT},
        {
            "times": list_of(TEXT),
            "values": {"type": "object", "additionalProperties": list_of({**NUMBER, "nullable": True})},
        },
    ),
    "EdrFeature": object_of(
        {"type": enum_of(["Feature"]), "geometry": OBJECT, "properties": ref("EdrProperties")},
        {"id": TEXT, "bbox": list_of(NUMBER), "links": list_of(ref("Link"))},
    ),
    "EdrFeatureCollection": object_of(
        {"type": enum_of(["FeatureCollection"]), "features": list_of(ref("EdrFeature"))},
        {"numberMatched": INDEX, "numberReturned": INDEX, "parameters": list_of(OBJECT), "links": list_of(ref("Link"))},
    ),
}


def collection_members(offered: OfferedCollection, context: DocumentContext) -> dict[str, Any]:
    """Return `data_queries`, `parameter_names` and `output_formats`; nothing of what has colours alone."""
    answered = queries.queries_of(offered, context.catalogue)
    if not answered:
        return {}
    own = offered.main_field.main_variable.grid.crs
    # Of the data's own CRS where it has no code: of the others the URIs say what they are, and `crs` lists them.
    # Each collection has it five times, and there may be hundreds in one document.
    details = [] if own.uri else [{"crs": own.name, "wkt": str(own.definition.to_wkt())}]
    return {
        "data_queries": {query.name: {"link": _query_link(query, offered, context, details)} for query in answered},
        "parameter_names": {name: parameter(layer, context.language) for name, layer in offered.fields.items()},
        "output_formats": queries.installed(queries.ALL),
    }


def collection_links(offered: OfferedCollection, context: DocumentContext) -> list[Json]:
    """Return links to the queries (§8.1.3): `data`, templates where parameters are needed, and `items` for times."""
    links = []
    for query in queries.queries_of(offered, context.catalogue):
        template = "" if query.is_list else f"{{?{','.join(names_of(query.parameters))}}}"  # RFC 6570 §3.2.8
        href, rel = f"{_address(query, offered, context)}{template}", "items" if query is queries.ITEMS else "data"
        links.append(link(rel, href, _media_type(query), query.title, is_template=not query.is_list))
    return links


def parameter(layer: Layer, language: str) -> Json:
    """Return the description of a parameter beside the data (requirement /req/edr/rc-parameters)."""
    variable = layer.main_variable
    label = text_in(layer.title, language) or variable.name
    observed: Json = {"id": variable.name, "label": label}
    if variable.standard_name:
        observed["id"] = standard_name_uri(variable.standard_name)
    classes, units = categories_of(layer), variable.encoding.units
    if classes:
        observed["categories"] = [{"id": category_id(each), "label": each.label} for each in classes]
    return {
        "type": "Parameter",
        "id": variable.name,
        "label": label,
        **without_empty({"description": text_in(layer.abstract, language)}),
        "dataType": "integer" if classes else "float",
        **({"categoryEncoding": {category_id(each): json_number(each.value) for each in classes}} if classes else {}),
        **({"unit": {"label": units, "symbol": {"value": units, "type": UCUM}}} if units and not classes else {}),
        "observedProperty": observed,
        "measurementType": _measurement(layer.times),
    }


def _query_link(
    query: queries.DataQuery, offered: OfferedCollection, context: DocumentContext, details: list[Json]
) -> Json:
    variables: Json = {"title": query.title, "description": query.description, "query_type": query.name}
    if query is not queries.ITEMS:
        variables |= {
            "output_formats": queries.installed(query.formats),
            "default_output_format": query.formats[0],
            "crs_details": details,
        }
    if query is queries.RADIUS:
        variables["within_units"] = list(LENGTHS_M)
    if query is queries.CUBE:
        variables["height_units"] = []
    return {
        "href": _address(query, offered, context),
        "rel": "data",
        "type": _media_type(query),
        "title": query.title,
        "variables": variables,
    }


def _address(query: queries.DataQuery, offered: OfferedCollection, context: DocumentContext) -> str:
    return f"{context.base}/collections/{offered.id}/{query.name}"


def _media_type(query: queries.DataQuery) -> str:
    return queries.MEDIA_TYPES[queries.GEOJSON if query.is_list else query.formats[0]]


def _measurement(times: TimeDomain) -> Json:
    """Instants, or what was observed in periods, with their length where all are as long."""
    lengths = np.unique(times.ends - times.starts)
    if lengths.size == 0 or bool((lengths == ONE_NS).all()):
        return {"method": "instantaneous"}
    duration = period_text(int(lengths[0].astype(np.int64)), is_monthly=False) if lengths.size == 1 else None
    return {"method": "observation", **without_empty({"duration": duration})}


CLASSES = ("core", "collections", "queries", "json", "geojson", "edr-geojson", "covjson", "oas30")
VERSIONS = ("1.0", "1.1")
ROOT = "http://www.opengis.net/spec/ogcapi-edr-1"
AS_THE_SUITE_HAS_IT = f"{ROOT}/1.0/req/edr-geojson"
"""OGC's test suite looks for the class under the name of its requirements, and leaves its tests out without it."""

block = BuildingBlock(
    operations=operations,
    conformance=(*(f"{ROOT}/{version}/conf/{name}" for version in VERSIONS for name in CLASSES), AS_THE_SUITE_HAS_IT),
    schemas=SCHEMAS,
    collection_links=collection_links,
    collection_members=collection_members,
)
