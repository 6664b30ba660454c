"""What records of collections and of items have in common (OGC 20-004r1 §7)."""

import re
from collections.abc import Sequence
from urllib.parse import quote

from chronotile.catalog.catalogue import Catalogue, Contact
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.block import DocumentContext, Json, Link
from chronotile.protocols.ogcapi.records.record_collections import RecordCollection

GEOJSON, HTML, JSON = "application/geo+json", "text/html", "application/json"
CATALOG = "application/ogc-catalog+json"
PROFILE_RECORD = "http://www.opengis.net/def/profile/OGC/0/ogc-record"
PROFILE_CATALOG = "http://www.opengis.net/def/profile/OGC/0/ogc-catalog"
_PHONE = re.compile(r"\+[1-9][0-9]{3,14}", re.ASCII)
ROLES = ("pointOfContact",)


def contacts_of(catalogue: Catalogue, language: str) -> Json:
    """Return `contacts`, if the service has any."""
    contact = catalogue.service.contact
    if contact.is_empty:
        return {}
    name = {"name": contact.name} if contact.name else {"organization": text_in(catalogue.service.title, language)}
    return {"contacts": [{**name, **_reached(contact), "roles": list(ROLES)}]}


def _reached(contact: Contact) -> Json:
    reached: Json = {}
    phone = re.sub(r"[ ()/.-]", "", contact.telephone or "")
    if _PHONE.fullmatch(phone):
        reached["phones"] = [{"value": phone}]
    if contact.email:
        reached["emails"] = [{"value": contact.email}]
    if contact.address is not None:
        address = contact.address
        parts = {
            "deliveryPoint": [address.street] if address.street else None,
            "city": address.city,
            "administrativeArea": address.region,
            "postalCode": address.postcode,
            "country": address.country,
        }
        reached["addresses"] = [{name: part for name, part in parts.items() if part}]
    return reached


def languages_of(context: DocumentContext) -> Json:
    """Return `language` and `languages`: in which a record is, and in which it can be had."""
    languages = context.catalogue.service.languages
    return {"language": {"code": context.language}, "languages": [{"code": each} for each in languages]}


def address_of(collection: RecordCollection, context: DocumentContext) -> str:
    """Return the public URL of a collection of records."""
    return f"{context.base}/collections/{collection.id}"


def record_links(collection: RecordCollection, id_: str, context: DocumentContext) -> Sequence[Link]:
    """Return the links of a record to itself and to its collection."""
    up = address_of(collection, context)
    own = f"{up}/items/{quote(id_, safe='')}"
    return (
        Link(rel="self", href=own, type=GEOJSON, title="This record"),
        Link(rel="alternate", href=f"{own}?f=html", type=HTML, title="This record as HTML"),
        Link(rel="collection", href=up, type=CATALOG, title=collection.title),
        Link(rel="profile", href=PROFILE_RECORD, type=HTML, title="Profile of records"),
    )


def split_templates(links: Sequence[Link]) -> Json:
    """Return `links` and, if any are templates, `linkTemplates`."""
    templates = [
        {"rel": each.rel, "uriTemplate": each.href, "title": each.title, **({"type": each.type} if each.type else {})}
        for each in links
        if each.is_template
    ]
    plain = [each.document() for each in links if not each.is_template]
    return {"links": plain, **({"linkTemplates": templates} if templates else {})}
