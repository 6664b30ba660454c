"""`/odata/v1` in OpenAPI."""

from functools import partial
from typing import Any

from chronotile.model.items import product_id
from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.openapi import (
    ADDRESS,
    FILE,
    INDEX,
    NUMBER,
    OBJECT,
    TEXT,
    TRUTH,
    UNANSWERED,
    Json,
    body,
    enum_of,
    in_path,
    list_of,
    object_of,
    operation,
    or_null,
)
from chronotile.protocols.common.query.parameter import documents
from chronotile.protocols.odata.documents import MEDIA_TYPE, ROOT
from chronotile.protocols.odata.filter_list import EXAMPLE
from chronotile.protocols.odata.params import OF_ONE, OPTIONS
from chronotile.protocols.odata.parser import TYPES

TAG = "OData"
REFUSALS = {
    "400": "An option or a value is not accepted",
    "404": "There is nothing of this id or name",
    "406": "The format is not one of those offered",
    "503": "The index or a source cannot be read now; try again after `Retry-After` seconds",
}
FAULT: Json = object_of({"error": object_of({"code": TEXT, "message": TEXT}, {"target": TEXT, "innererror": OBJECT})})
XML, PLAIN = "application/xml", "text/plain"
TIME = or_null({"type": "string", "format": "date-time"})
CHECKSUMS = list_of(object_of({"Value": TEXT, "Algorithm": TEXT}))
ATTRIBUTE: Json = object_of(
    {"@odata.type": TEXT, "Name": TEXT, "Value": {"oneOf": [TEXT, NUMBER, TRUTH]}, "ValueType": enum_of(TYPES)}
)
ASSET: Json = object_of(
    {
        "Type": enum_of(("QUICKLOOK", "DATA")),
        "Name": TEXT,
        "ContentType": TEXT,
        "ContentLength": INDEX,
        "Checksum": CHECKSUMS,
        "DownloadLink": ADDRESS,
    }
)
PRODUCT: Json = {
    "type": "object",
    "properties": {
        "@odata.mediaContentType": TEXT,
        "Id": {"type": "string", "format": "uuid"},
        "Name": TEXT,
        "ContentType": TEXT,
        "ContentLength": INDEX,
        "OriginDate": TIME,
        "PublicationDate": TIME,
        "ModificationDate": TIME,
        "Online": TRUTH,
        "EvictionDate": TIME,
        "Checksum": CHECKSUMS,
        "ContentDate": object_of({"Start": TIME, "End": TIME}),
        "Footprint": or_null(TEXT),
        "GeoFootprint": or_null(OBJECT),
        "Collection": object_of({"Name": TEXT}),
        "Attributes": list_of(ATTRIBUTE),
        "Assets": list_of(ASSET),
    },
}
LISTED: Json = object_of(
    {"@odata.context": TEXT, "value": list_of(PRODUCT)},
    {"@odata.count": INDEX, "@odata.nextLink": ADDRESS, "@chronotile.unanswered": UNANSWERED},
)
NODE: Json = object_of(
    {"Id": TEXT, "Name": TEXT, "ContentLength": INDEX, "ChildrenNumber": INDEX, "Nodes": object_of({"uri": ADDRESS})}
)
NODES: Json = object_of({"result": list_of(NODE)})
TYPED: Json = list_of(object_of({"Name": TEXT, "ValueType": enum_of(TYPES)}))


def odata_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of OData."""
    id_of_any = in_path("id", "Id of the product, bare or in quotes")
    known = None if examples.item is None else str(product_id(examples.collection, examples.item))
    id_ = id_of_any if known is None else {**id_of_any, "example": known}
    collection = in_path("collection", "Id of a collection", example=examples.collection)
    nodes = in_path("nodes", "`Nodes(name)/…/Nodes`, or `Nodes(name)/…/$value`")
    describe = partial(_operation, tag=TAG)
    of_one = documents(OF_ONE)
    examples_of_list = {
        "$filter": "ContentDate/Start gt 2020-01-01T00:00:00.000Z",
        "$orderby": "ContentDate/Start desc",
    }
    return {
        ROOT: {"get": describe("getOData", "What the service has", answers={MEDIA_TYPE: OBJECT})},
        f"{ROOT}/$metadata": {"get": describe("getODataMetadata", "The types of all documents", answers={XML: TEXT})},
        f"{ROOT}/Products": {
            "get": describe(
                "getODataProducts",
                "A page of products",
                parameters=documents(OPTIONS, examples_of_list),
                answers={MEDIA_TYPE: LISTED},
            )
        },
        f"{ROOT}/Products/$count": {
            "get": describe(
                "countODataProducts",
                "How many products match",
                parameters=documents(OPTIONS[:1], examples_of_list),
                answers={PLAIN: TEXT},
            )
        },
        f"{ROOT}/Products/OData.CSC.FilterList": {
            "post": describe(
                "postODataList",
                "The products with some names or ids",
                parameters=of_one,
                answers={MEDIA_TYPE: LISTED},
                posted=body(OBJECT, EXAMPLE),
            )
        },
        f"{ROOT}/Products({{id}})": {
            "get": describe("getODataProduct", "One product", parameters=[id_, *of_one], answers={MEDIA_TYPE: PRODUCT})
        },
        f"{ROOT}/Products({{id}})/Attributes": {
            "get": describe(
                "getODataProductAttributes", "The attributes of a product", parameters=[id_], answers=_values(ATTRIBUTE)
            )
        },
        f"{ROOT}/Products({{id}})/Assets": {
            "get": describe(
                "getODataProductAssets", "The assets of a product", parameters=[id_], answers=_values(ASSET)
            )
        },
        f"{ROOT}/Products({{id}})/$value": {
            "get": _download(
                describe(
                    "getODataProductValue",
                    "The download of a product",
                    parameters=[id_of_any],
                    answers={"application/octet-stream": FILE},
                )
            )
        },
        f"{ROOT}/Products({{id}})/Nodes": {
            "get": describe(
                "getODataProductNodes", "The product as a node", parameters=[id_of_any], answers={MEDIA_TYPE: NODES}
            )
        },
        f"{ROOT}/Products({{id}})/{{nodes}}": {
            "get": _download(
                describe(
                    "getODataNode",
                    "What lies in a node of a product, or its download",
                    parameters=[id_, nodes],
                    answers={MEDIA_TYPE: NODES, "application/octet-stream": FILE},
                )
            )
        },
        f"{ROOT}/Attributes": {
            "get": describe("getODataAttributes", "The attributes of all collections", answers={MEDIA_TYPE: OBJECT})
        },
        f"{ROOT}/Attributes({{collection}})": {
            "get": describe(
                "getODataAttributesOf",
                "The attributes of a collection",
                parameters=[collection],
                answers={MEDIA_TYPE: TYPED},
            )
        },
    }


def _operation(name: str, summary: str, **members: Any) -> Json:  # noqa: ANN401 -- those of `operation`
    """An operation whose errors are documents of OData."""
    described = operation(name, summary, refusals=(), **members)
    faults = {MEDIA_TYPE: {"schema": FAULT}}
    described["responses"] |= {status: {"description": words, "content": faults} for status, words in REFUSALS.items()}
    return described


def _values(schema: Json) -> dict[str, Json]:
    return {MEDIA_TYPE: object_of({"@odata.context": TEXT, "value": list_of(schema)})}


def _download(described: Json) -> Json:
    """The operation with the redirect that comes first."""
    location = {"Location": {"schema": ADDRESS}}
    described["responses"]["302"] = {"description": "The address of the download", "headers": location}
    return described
