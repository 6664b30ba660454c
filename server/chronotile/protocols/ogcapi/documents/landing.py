"""Landing page and conformance (OGC 19-072)."""

from chronotile.catalog.catalogue import PostalAddress, ServiceInfo
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.state import ServerState
from chronotile.protocols.ogcapi.block import Json, Link
from chronotile.protocols.ogcapi.blocks import BLOCKS
from chronotile.protocols.ogcapi.documents.collection_context import CollectionContext
from chronotile.protocols.ogcapi.documents.collections import JSON_LD

COMMON_1 = "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf"
COMMON_2 = "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf"
CONFORMANCE = (
    *(f"{COMMON_1}/{name}" for name in ("core", "landing-page", "json", "html", "oas30")),
    *(f"{COMMON_2}/{name}" for name in ("collections", "simple-query")),
)
KEPT_RELATIONS = ("self", "alternate", "service-desc", "service-doc", "conformance", "data")
"""Links of pygeoapi's landing page that hold here; the others are of processes and tile matrix sets."""


def landing_document(context: CollectionContext) -> Json:
    """Return the landing page of the tree."""
    from chronotile.protocols.ogcapi.documents.through_pygeoapi import pygeoapi_landing  # noqa: PLC0415 -- its 70 MB

    said, service = pygeoapi_landing(context), context.document.catalogue.service
    own = [
        {name: member for name, member in link.items() if name != "hreflang"}  # which is not the requested language
        for link in said["links"]
        if link["rel"] in KEPT_RELATIONS and link["type"] != JSON_LD
    ]
    blocks = [link.document() for block in BLOCKS for link in block.landing_links(context.document)]
    up = Link(rel="up", href=f"{context.document.root}/", type="text/html", title="Overview of this server")
    return {
        "title": text_in(service.title, context.document.language),
        "description": text_in(service.abstract, context.document.language),
        **_service_members(service),
        **{name: member for block in BLOCKS for name, member in block.landing_members(context.document).items()},
        "links": [*own, *blocks, up.document()],
    }


def _service_members(service: ServiceInfo) -> Json:
    """Keywords, provider and contact, as the landing page of EDR has them (OGC 19-086r6, landingPage.yaml)."""
    contact, address = service.contact, service.contact.address or PostalAddress()
    reached = {
        "email": contact.email,
        "phone": contact.telephone,
        "address": address.street,
        "postalCode": address.postcode,
        "city": address.city,
        "stateorprovince": address.region,
        "country": address.country,
    }
    members = {
        "keywords": list(service.keywords),
        "provider": {"name": contact.name} if contact.name else {},
        "contact": {name: said for name, said in reached.items() if said},
    }
    return {name: member for name, member in members.items() if member}


def conformance_document(state: ServerState) -> Json:
    """Return the classes that hold: those of the tree itself, then those of each building block.

    pygeoapi's own list has classes that do not hold here, and in 0.21 grows with each request.
    """
    blocks = (each for block in BLOCKS for each in (*block.conformance, *block.allowed_conformance(state)))
    classes = [*CONFORMANCE, *blocks]
    return {"conformsTo": list(dict.fromkeys(classes))}
