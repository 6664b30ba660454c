"""OGC API - Environmental Data Retrieval (OGC 19-086r6)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.lengths import LENGTHS_M
from chronotile.core.model.number_text import json_number
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import ONE_NS
from chronotile.core.model.time.steps import period_text
from chronotile.core.model.types import Json
from chronotile.pipeline.encoders.coverage.cog import has_geo_tags
from chronotile.pipeline.encoders.covjson_parts import UCUM, categories_of, category_id, standard_name_uri
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import omit_empty
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.edr import formats, queries
from chronotile.protocols.ogcapi.edr.operations import operations
from chronotile.protocols.ogcapi.edr.schemas import SCHEMAS


def collection_members(offered: OfferedCollection, context: DocumentContext) -> dict[str, Any]:
    """Return `data_queries`, `parameter_names` and `output_formats`; nothing for a collection with colours only."""
    answered = queries.queries_of(offered, context.catalogue)
    if not answered:
        return {}
    native_crs = offered.main_field.main_variable.grid.crs
    # Only a native CRS without a code needs a definition: `crs` lists the URIs of the others. Details are repeated for
    # five queries, and one document may list hundreds of collections.
    details = [] if native_crs.uri else [{"crs": native_crs.name, "wkt": str(native_crs.definition.to_wkt())}]
    return {
        "data_queries": {query.name: {"link": _query_link(query, offered, context, details)} for query in answered},
        "parameter_names": {name: parameter(layer, context.language) for name, layer in offered.fields.items()},
        "output_formats": _formats(formats.CELL_FORMATS, offered),
    }


def collection_links(offered: OfferedCollection, context: DocumentContext) -> list[Json]:
    """Return links to the queries (§8.1.3): templates with rel `data`, and `items` for the list of times."""
    links = []
    for query in queries.queries_of(offered, context.catalogue):
        template = "" if query.is_list else f"{{?{','.join(names_of(query.parameters))}}}"  # RFC 6570 §3.2.8
        href, rel = f"{_address(query, offered, context)}{template}", "items" if query is queries.ITEMS else "data"
        links.append(link(rel, href, _media_type(query), query.title, is_template=not query.is_list))
    return links


def parameter(layer: Layer, language: str) -> Json:
    """Return the description of a parameter in metadata (requirement /req/edr/rc-parameters)."""
    variable = layer.main_variable
    label = text_in(layer.title, language) or variable.name
    observed: Json = {"id": variable.name, "label": label}
    if variable.standard_name:
        observed["id"] = standard_name_uri(variable.standard_name)
    classes, units = categories_of(layer), variable.encoding.units
    if classes:
        observed["categories"] = [{"id": category_id(c), "label": c.label} for c in classes]
    return {
        "type": "Parameter",
        "id": variable.name,
        "label": label,
        **omit_empty({"description": text_in(layer.abstract, language)}),
        "dataType": "integer" if classes else "float",
        **({"categoryEncoding": {category_id(c): json_number(c.value) for c in classes}} if classes else {}),
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
            "output_formats": _formats(query.formats, offered),
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


def _formats(names: Sequence[str], offered: OfferedCollection) -> list[str]:
    # GeoTIFF cannot express every native CRS.
    can_store = has_geo_tags(offered.main_field.main_variable.grid.crs)
    return [name for name in formats.list_installed(names) if name != formats.GEOTIFF or can_store]


def _address(query: queries.DataQuery, offered: OfferedCollection, context: DocumentContext) -> str:
    return f"{context.base}/collections/{offered.id}/{query.name}"


def _media_type(query: queries.DataQuery) -> str:
    return formats.MEDIA_TYPES[formats.GEOJSON if query.is_list else query.formats[0]]


def _measurement(times: TimeDomain) -> Json:
    """Return the measurement type: instantaneous, or observed over periods, with their length if it is the same."""
    lengths = np.unique(times.ends - times.starts)
    if lengths.size == 0 or bool((lengths == ONE_NS).all()):
        return {"method": "instantaneous"}
    duration = period_text(int(lengths[0].astype(np.int64)), is_monthly=False) if lengths.size == 1 else None
    return {"method": "observation", **omit_empty({"duration": duration})}


CLASSES = ("core", "collections", "queries", "json", "geojson", "edr-geojson", "covjson", "oas30")
VERSIONS = ("1.0", "1.1")
ROOT = "http://www.opengis.net/spec/ogcapi-edr-1"
CLASS_OF_TEST_SUITE = f"{ROOT}/1.0/req/edr-geojson"
"""OGC's test suite expects this URI of the requirements class, and skips its tests without it."""

block = BuildingBlock(
    operations=operations,
    conformance=(*(f"{ROOT}/{version}/conf/{name}" for version in VERSIONS for name in CLASSES), CLASS_OF_TEST_SUITE),
    schemas=SCHEMAS,
    collection_links=collection_links,
    collection_members=collection_members,
)
