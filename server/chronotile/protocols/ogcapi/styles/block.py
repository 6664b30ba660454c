"""OGC API - Styles - Part 1: Core (OGC 20-009, a draft)."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from chronotile.catalog.offered import Offered
from chronotile.core.model.formats import MapFormat
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import NUMBER, PAIR, TEXT, TRUTH, Json, enum_of, list_of, object_of, ref
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.styles.documents import JSON, REL_LEGEND
from chronotile.protocols.ogcapi.styles.routes import operations

REL_STYLES = "http://www.opengis.net/def/rel/ogc/1.0/styles"


def landing_links(context: DocumentContext) -> Sequence[Json]:
    """Return the list of all styles."""
    return [link(REL_STYLES, f"{context.base}/styles", JSON, "styles")]


def collection_links(offered: Offered, context: DocumentContext) -> Sequence[Json]:
    """Return the styles and the legend of a collection."""
    base = f"{context.base}/collections/{quote(offered.id)}"
    return [
        link(REL_STYLES, f"{base}/styles", JSON, "styles"),
        link(REL_LEGEND, f"{base}/legend", MapFormat.PNG, "legend"),
    ]


# The documents as OpenAPI 3.0 has them.

_CLASS = object_of({"value": NUMBER}, {"colour": TEXT, "color": TEXT, "label": TEXT})
SCHEMAS: Mapping[str, Json] = {
    "StyleList": object_of(
        {
            "styles": list_of(object_of({"id": TEXT, "title": TEXT, "links": list_of(ref("Link"))})),
            "links": list_of(ref("Link")),
        },
        {"default": TEXT},
    ),
    "StyleMetadata": object_of(
        {
            "id": TEXT,
            "title": TEXT,
            "stylesheets": list_of(object_of({"title": TEXT, "version": TEXT, "native": TRUTH, "link": ref("Link")})),
            "links": list_of(ref("Link")),
        },
        {"scope": enum_of(["style"]), "layers": list_of(object_of({"id": TEXT, "type": TEXT}))},
    ),
    "StyleSheet": object_of(
        {"title": TEXT, "nodata": TEXT},
        {
            "range": PAIR,
            "ramp": {"type": "object", "additionalProperties": TEXT},
            "classes": list_of(_CLASS),
            "below": TEXT,
            "above": TEXT,
            "flags": {"type": "object", "additionalProperties": TEXT},
            "labels": list_of(NUMBER),
        },
    ),
    "StyleLegend": object_of(
        {
            "layer": TEXT,
            "style": TEXT,
            "title": TEXT,
            "units": TEXT,
            "type": enum_of(["ramp", "classes"]),
            "range": PAIR,
        },
        {
            "stops": list_of(object_of({"value": NUMBER, "color": TEXT})),
            "below": TEXT,
            "above": TEXT,
            "labels": list_of(object_of({"value": NUMBER, "text": TEXT})),
            "classes": list_of(_CLASS),
            "nodata": TEXT,
            "flags": list_of(object_of({"name": TEXT, "color": TEXT})),
        },
    ),
}

block = BuildingBlock(
    operations=operations,
    conformance=tuple(
        f"http://www.opengis.net/spec/ogcapi-styles-1/1.0/conf/{name}" for name in ("core", "sld-10", "sld-11")
    ),
    schemas=SCHEMAS,
    landing_links=landing_links,
    collection_links=collection_links,
)
