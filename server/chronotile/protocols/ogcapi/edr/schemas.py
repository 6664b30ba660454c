"""OpenAPI 3.0 schemas of what data queries give."""

from collections.abc import Mapping

from chronotile.protocols.ogcapi.block import Json
from chronotile.protocols.ogcapi.path_items import INDEX, NUMBER, TEXT, list_of, members, ref, word

OBJECT: Json = {"type": "object"}

SCHEMAS: Mapping[str, Json] = {
    "EdrCoverageJson": {
        "description": "A coverage, or several, as CoverageJSON 1.0 has them (OGC 21-069r2)",
        "oneOf": [
            members({"type": word(["Coverage"]), "domain": OBJECT, "parameters": OBJECT, "ranges": OBJECT}),
            members(
                {
                    "type": word(["CoverageCollection"]),
                    "parameters": OBJECT,
                    "referencing": list_of(OBJECT),
                    "coverages": list_of(OBJECT),
                }
            ),
        ],
    },
    "EdrProperties": members(
        {"datetime": TEXT, "parameter-name": list_of(TEXT), "label": TEXT, "edrqueryendpoint": TEXT},
        {
            "times": list_of(TEXT),
            "values": {"type": "object", "additionalProperties": list_of({**NUMBER, "nullable": True})},
        },
    ),
    "EdrFeature": members(
        {"type": word(["Feature"]), "geometry": OBJECT, "properties": ref("EdrProperties")},
        {"id": TEXT, "bbox": list_of(NUMBER), "links": list_of(ref("Link"))},
    ),
    "EdrFeatureCollection": members(
        {"type": word(["FeatureCollection"]), "features": list_of(ref("EdrFeature"))},
        {
            "numberMatched": INDEX,
            "numberReturned": INDEX,
            "parameters": list_of(OBJECT),
            "links": list_of(ref("Link")),
        },
    ),
}
