"""Filters of features and records, and the schema of properties that they may use (OGC 19-079r2 §6 and §7)."""

from collections.abc import Mapping
from typing import Any

import orjson

from chronotile.catalog.items.cql2.tree import check_filter, filter_from_text
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.types import Json
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import choice, text

FEATURES_3 = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf"
CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
REL_QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
SCHEMA = "application/schema+json"
DRAFT = "https://json-schema.org/draft/2019-09/schema"
GEOMETRY: Json = {"format": "geometry-any", "x-ogc-role": "primary-geometry"}

CQL2_TEXT, CQL2_JSON = "cql2-text", "cql2-json"
FILTER = text("filter", "A filter in CQL2, in the language that `filter-lang` names")
FILTER_LANG = choice("filter-lang", "The language of `filter`", (CQL2_TEXT, CQL2_JSON), default=CQL2_TEXT)


def filter_of(query: Kvp) -> Mapping[str, Any] | None:
    """Return the filter of a query as CQL2 JSON, or `None`.

    Raises:
        InvalidParameter: The filter or its language is not accepted.
    """
    language, filter_text = FILTER_LANG.value(query), FILTER.optional(query)
    if filter_text is None:
        return None
    if language == CQL2_TEXT:
        return filter_from_text(filter_text)
    try:
        return check_filter(orjson.loads(filter_text))
    except orjson.JSONDecodeError as error:
        raise InvalidParameter("filter is not JSON, but filter-lang is cql2-json", locator=FILTER.name) from error


def properties_schema(address: str, title: str, properties: Mapping[str, Json], *, has_more: bool = False) -> Json:
    """Return a JSON schema with the properties that filters may use; `has_more` allows others."""
    return {
        "$schema": DRAFT,
        "$id": address,
        "type": "object",
        "title": title,
        "properties": properties,
        "additionalProperties": has_more,
    }
