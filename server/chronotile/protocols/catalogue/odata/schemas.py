"""JSON Schemas of OData documents."""

from chronotile.core.model.types import Json
from chronotile.protocols.catalogue.odata.parser import TYPES as VALUE_TYPES
from chronotile.protocols.common.openapi import (
    ADDRESS,
    INDEX,
    NUMBER,
    OBJECT,
    TEXT,
    TRUTH,
    UNANSWERED,
    enum_of,
    list_of,
    nullable_schema,
    object_of,
)

FAULT_SCHEMA: Json = object_of(
    {"error": object_of({"code": TEXT, "message": TEXT}, {"target": TEXT, "innererror": OBJECT})}
)
TIME = nullable_schema({"type": "string", "format": "date-time"})
CHECKSUMS = list_of(object_of({"Value": TEXT, "Algorithm": TEXT}))
ATTRIBUTE_SCHEMA: Json = object_of(
    {"@odata.type": TEXT, "Name": TEXT, "Value": {"oneOf": [TEXT, NUMBER, TRUTH]}, "ValueType": enum_of(VALUE_TYPES)}
)
ASSET_SCHEMA: Json = object_of(
    {
        "Type": enum_of(("QUICKLOOK", "DATA")),
        **dict.fromkeys(("Name", "ContentType"), TEXT),
        "ContentLength": INDEX,
        "Checksum": CHECKSUMS,
        "DownloadLink": ADDRESS,
    }
)
PRODUCT_SCHEMA: Json = {
    "type": "object",
    "properties": {
        "@odata.mediaContentType": TEXT,
        "Id": {"type": "string", "format": "uuid"},
        **dict.fromkeys(("Name", "ContentType"), TEXT),
        "ContentLength": INDEX,
        **dict.fromkeys(("OriginDate", "PublicationDate", "ModificationDate"), TIME),
        "Online": TRUTH,
        "EvictionDate": TIME,
        "Checksum": CHECKSUMS,
        "ContentDate": object_of({"Start": TIME, "End": TIME}),
        "Footprint": nullable_schema(TEXT),
        "GeoFootprint": nullable_schema(OBJECT),
        "Collection": object_of({"Name": TEXT}),
        "Attributes": list_of(ATTRIBUTE_SCHEMA),
        "Assets": list_of(ASSET_SCHEMA),
    },
}
LISTED_SCHEMA: Json = object_of(
    {"@odata.context": TEXT, "value": list_of(PRODUCT_SCHEMA)},
    {"@odata.count": INDEX, "@odata.nextLink": ADDRESS, "@chronotile.unanswered": UNANSWERED},
)
NODE_SCHEMA: Json = object_of(
    {"Id": TEXT, "Name": TEXT, "ContentLength": INDEX, "ChildrenNumber": INDEX, "Nodes": object_of({"uri": ADDRESS})}
)
NODES_SCHEMA: Json = object_of({"result": list_of(NODE_SCHEMA)})
TYPED_SCHEMA: Json = list_of(object_of({"Name": TEXT, "ValueType": enum_of(VALUE_TYPES)}))
