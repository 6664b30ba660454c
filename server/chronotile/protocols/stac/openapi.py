"""`/stac` in OpenAPI."""

from collections.abc import Mapping, Sequence
from functools import partial

from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.openapi import (
    ADDRESS,
    BOX,
    OBJECT,
    TEXT,
    UNANSWERED,
    WHOLE,
    Json,
    body,
    in_path,
    list_of,
    object_of,
    operation,
)
from chronotile.protocols.common.query.parameter import Parameter, documents, language
from chronotile.protocols.stac.aggregations import NAMES
from chronotile.protocols.stac.collection_search import OF_COLLECTIONS
from chronotile.protocols.stac.context import GEOJSON_TYPE, JSON_TYPE, SCHEMA_TYPE
from chronotile.protocols.stac.params import OF_BODY, OF_COUNTS, OF_COUNTS_WITHIN, OF_ITEMS, OF_SEARCH

TAG, WRITING = "STAC", "STAC transactions"
QUERY = ("BadRequest", "NotFound", "Unavailable")
REFUSALS = ("BadRequest", "Unauthorized", "Forbidden", "NotFound", "TooLarge", "TooMany", "Unavailable")
WITH_CONFLICT = (*REFUSALS, "Conflict")
SECURITY = [{"writeToken": list[str]()}]
TWO = {"minItems": 2, "maxItems": 2}
LINKS: Json = list_of(object_of({"rel": TEXT, "href": TEXT}, {"type": TEXT, "title": TEXT, "method": TEXT}))
CATALOG: Json = object_of(
    {
        "type": {"const": "Catalog"},
        "stac_version": TEXT,
        "id": TEXT,
        "description": TEXT,
        "conformsTo": list_of(ADDRESS),
        "links": LINKS,
    }
)
COLLECTION: Json = object_of(
    {
        "type": {"const": "Collection"},
        "stac_version": TEXT,
        "id": TEXT,
        "description": TEXT,
        "license": TEXT,
        "extent": object_of(
            {
                "spatial": object_of({"bbox": list_of(BOX)}),
                "temporal": object_of({"interval": list_of({**list_of({"type": ["string", "null"]}), **TWO})}),
            }
        ),
        "links": LINKS,
    }
)
COLLECTIONS: Json = object_of(
    {"collections": list_of(COLLECTION), "links": LINKS, "numberMatched": WHOLE, "numberReturned": WHOLE}
)
ITEM: Json = object_of(
    {
        "type": {"const": "Feature"},
        "stac_version": TEXT,
        "id": TEXT,
        "collection": TEXT,
        "geometry": OBJECT,
        "bbox": BOX,
        "properties": OBJECT,
        "links": LINKS,
        "assets": OBJECT,
    }
)
ITEMS: Json = object_of(
    {"type": {"const": "FeatureCollection"}, "features": list_of(OBJECT), "links": LINKS, "numberReturned": WHOLE},
    {"numberMatched": WHOLE, "context": OBJECT, "unanswered": UNANSWERED},
)
COUNTS: Json = object_of(
    {"type": {"const": "AggregationCollection"}, "aggregations": list_of(OBJECT), "links": LINKS},
    {"unanswered": UNANSWERED},
)
SCENE: Json = {
    "type": "Feature",
    "stac_version": "1.1.0",
    "id": "S2A_31UFS_20200601",
    "geometry": {"type": "Polygon", "coordinates": [[[4, 50], [5, 50], [5, 51], [4, 51], [4, 50]]]},
    "bbox": [4, 50, 5, 51],
    "properties": {"datetime": "2020-06-01T10:50:31Z", "eo:cloud_cover": 12},
    "links": [],
    "assets": {"red": {"href": "https://example.com/S2A_31UFS_20200601/red.tif"}},
}
Query = Sequence[Parameter[object]]


def stac_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of the STAC API."""
    return {**_catalogue(examples), **_items(examples), **_counts(examples)}


def _catalogue(examples: Examples) -> dict[str, Json]:
    lang, collection = language(examples.languages), _collection(examples)
    told = {JSON_TYPE: CATALOG}
    listed = [*documents(OF_COLLECTIONS), lang]
    return {
        "/stac": _get("getStac", "Landing page of the STAC API: a catalogue of all collections", [lang], told),
        "/stac/conformance": _get(
            "getStacConformance",
            "Classes of standards that the STAC API conforms to",
            [],
            {JSON_TYPE: object_of({"conformsTo": list_of(ADDRESS)})},
        ),
        "/stac/collections": _get("getStacCollections", "Collections, in pages", listed, {JSON_TYPE: COLLECTIONS}),
        "/stac/collections/{collection}": _get(
            "getStacCollection", "A collection", [collection, lang], {JSON_TYPE: COLLECTION}
        ),
        **{
            f"{path}/queryables": _get(f"getStacQueryables{of}", summary, [*inside, lang], {SCHEMA_TYPE: OBJECT})
            for path, of, summary, inside in (
                ("/stac", "", "Properties that filters compare", []),
                ("/stac/collections/{collection}", "OfCollection", "Those of a collection", [collection]),
            )
        },
    }


def _items(examples: Examples) -> dict[str, Json]:
    collection, item = _collection(examples), in_path("item", "Id of the item", example=examples.item)
    posted = body({"type": "object", "properties": OF_BODY}, {"collections": [examples.collection], "limit": 2})
    change = partial(_change, parameters=[collection, item])
    return {
        "/stac/search": {
            **_get("getStacSearch", "Items of any collections, in pages", _told(OF_SEARCH), {GEOJSON_TYPE: ITEMS}),
            "post": _operation(
                "postStacSearch", "Items that a body describes", [], {GEOJSON_TYPE: ITEMS}, posted=posted
            ),
        },
        "/stac/collections/{collection}/items": {
            **_get("getStacItems", "Items of a collection", [collection, *_told(OF_ITEMS)], {GEOJSON_TYPE: ITEMS}),
            "post": _change(
                "postStacItems", "Adds items", "201", parameters=[collection], posted=SCENE, refusals=WITH_CONFLICT
            ),
        },
        "/stac/collections/{collection}/items/{item}": {
            **_get("getStacItem", "An item", [collection, item], {GEOJSON_TYPE: ITEM}),
            "put": change("putStacItem", "Replaces an item", posted={**SCENE, "id": examples.item or "scene"}),
            "patch": change(
                "patchStacItem",
                "Changes members of an item (RFC 7396)",
                posted={"properties": {"gsd": 10}},
                refusals=WITH_CONFLICT,
            ),
            "delete": change("deleteStacItem", "Removes an item"),
        },
    }


def _counts(examples: Examples) -> dict[str, Json]:
    paths = {}
    for path, of, inside, query in (
        ("/stac", "", [], OF_COUNTS),
        ("/stac/collections/{collection}", "OfCollection", [_collection(examples)], OF_COUNTS_WITHIN),
    ):
        answers, told = {JSON_TYPE: COUNTS}, [*inside, *_told(query, {"aggregations": ",".join(NAMES)})]
        members = {"aggregations": list_of(TEXT), **OF_BODY}
        posted = body({"type": "object", "properties": members}, {"aggregations": list(NAMES)})
        paths[f"{path}/aggregations"] = _get(f"getStacAggregations{of}", "Counts that there are", inside, answers)
        paths[f"{path}/aggregate"] = {
            **_get(f"getStacAggregate{of}", "Counts of items", told, answers),
            "post": _operation(f"postStacAggregate{of}", "Counts of items", inside, answers, posted=posted),
        }
    return paths


def _collection(examples: Examples) -> Json:
    return in_path("collection", "Id of the collection", example=examples.collection)


def _told(query: Query, given: Mapping[str, object] | None = None) -> list[Json]:
    return documents(query, given or {})


def _operation(
    name: str, summary: str, parameters: Sequence[Json], answers: Mapping[str, Json], *, posted: Json | None = None
) -> Json:
    refusals = QUERY if posted is None else (*QUERY, "TooLarge")
    return operation(name, summary, tag=TAG, parameters=parameters, answers=answers, posted=posted, refusals=refusals)


def _get(name: str, summary: str, parameters: Sequence[Json], answers: Mapping[str, Json]) -> Json:
    return {"get": _operation(name, summary, parameters, answers)}


def _change(
    name: str,
    summary: str,
    status: str = "204",
    *,
    parameters: Sequence[Json],
    posted: Json | None = None,
    refusals: Sequence[str] = REFUSALS,
) -> Json:
    """An operation that changes items; what was added is in its answer."""
    described = operation(
        name,
        summary,
        tag=WRITING,
        parameters=parameters,
        answers={GEOJSON_TYPE: OBJECT} if status == "201" else {},
        posted=None if posted is None else body(OBJECT, posted),
        refusals=refusals,
    )
    answered = described["responses"].pop("200")
    described["responses"][status] = answered if answered["content"] else {"description": answered["description"]}
    return {**described, "security": SECURITY}
