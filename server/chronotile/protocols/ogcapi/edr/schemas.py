"""OpenAPI 3.0 schemas of the responses of data queries."""

from collections.abc import Mapping

from chronotile.core.model.types import Json
from chronotile.protocols.common.openapi import INDEX, NUMBER, OBJECT, TEXT, enum_of, list_of, object_of, ref

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
