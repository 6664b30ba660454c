"""OGC API - Styles - Part 1: Core (OGC 20-009, a draft)."""

from collections.abc import Sequence
from urllib.parse import quote

from chronotile.catalog.offered import Offered
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext, Link
from chronotile.protocols.ogcapi.styles.documents import JSON, REL_LEGEND
from chronotile.protocols.ogcapi.styles.openapi import SCHEMAS, style_paths
from chronotile.protocols.ogcapi.styles.routes import routes

REL_STYLES = "http://www.opengis.net/def/rel/ogc/1.0/styles"


def landing_links(context: DocumentContext) -> Sequence[Link]:
    """Return the list of all styles."""
    return [Link(rel=REL_STYLES, href=f"{context.base}/styles", type=JSON, title="styles")]


def collection_links(offered: Offered, context: DocumentContext) -> Sequence[Link]:
    """Return the styles and the legend of a collection."""
    base = f"{context.base}/collections/{quote(offered.id)}"
    return [
        Link(rel=REL_STYLES, href=f"{base}/styles", type=JSON, title="styles"),
        Link(rel=REL_LEGEND, href=f"{base}/legend", type="image/png", title="legend"),
    ]


block = BuildingBlock(
    routes=routes,
    conformance=tuple(
        f"http://www.opengis.net/spec/ogcapi-styles-1/1.0/conf/{name}" for name in ("core", "sld-10", "sld-11")
    ),
    paths=style_paths,
    schemas=SCHEMAS,
    landing_links=landing_links,
    collection_links=collection_links,
)
