"""The collections of records, and the properties of their records that queries may name (OGC 20-004r1 §8).

Their ids begin with an underscore. Ids in the configuration begin with a letter or digit, so no collection, layer or
alias can have the same id. An underscore needs no escape in URLs (RFC 3986 §2.3).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.service_info import Contact
from chronotile.core.model.items import Unanswered
from chronotile.core.model.types import Json
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import NUMBER, TEXT, enum_of, list_of, omit_empty
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.filters import GEOMETRY

RECORDS_1 = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf"
DATE_TIME: Json = {"type": "string", "format": "date-time"}
DATASET, ITEM = "dataset", "item"
"""Types of records."""


@dataclass(frozen=True, slots=True)
class RecordProperty:
    """A property for selecting or sorting records."""

    name: str
    title: str
    schema: Json
    is_sortable: bool = False
    is_parameter: bool = False
    """Whether the query has a parameter of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCollection:
    """A collection of records."""

    id: str
    title: str
    description: str
    type: str
    """Type of its records."""
    properties: tuple[RecordProperty, ...]
    default_order: tuple[tuple[str, bool], ...]
    """Names of properties, and whether the order is descending."""
    has_more_properties: bool
    """Whether filters may name properties that are not listed."""

    @property
    def sortables(self) -> tuple[RecordProperty, ...]:
        """The properties that `sortby` takes."""
        return tuple(p for p in self.properties if p.is_sortable)

    @property
    def parameters(self) -> tuple[RecordProperty, ...]:
        """The properties that are parameters of the query."""
        return tuple(p for p in self.properties if p.is_parameter)


def _properties_of(type_: str) -> tuple[RecordProperty, ...]:
    return (
        RecordProperty("id", "Id of the record", TEXT),
        RecordProperty("type", "Type of the resource", enum_of([type_])),
        RecordProperty("geometry", "Where it is", GEOMETRY),
    )


COLLECTION_RECORDS = RecordCollection(
    id="_collections",
    title="Collections as records",
    description="One record for each collection that is served here: what it is, where and when, and how to get it",
    type=DATASET,
    properties=(
        *_properties_of(DATASET),
        RecordProperty("title", "Title", TEXT, is_sortable=True, is_parameter=True),
        RecordProperty("description", "Description", TEXT),
        RecordProperty("keywords", "Keywords", list_of(TEXT), is_parameter=True),
        RecordProperty("license", "Licence", TEXT, is_sortable=True, is_parameter=True),
        RecordProperty("updated", "When the record changed", DATE_TIME, is_sortable=True),
        RecordProperty("start_datetime", "First time that there is", {**DATE_TIME}, is_sortable=True),
        RecordProperty("end_datetime", "Last time that there is", {**DATE_TIME}, is_sortable=True),
    ),
    default_order=(("title", False),),
    has_more_properties=False,
)
ITEM_RECORDS = RecordCollection(
    id="_items",
    title="Items of all collections as records",
    description="One record for each item of the collections that are served here: a scene, or a date",
    type=ITEM,
    properties=(
        *_properties_of(ITEM),
        RecordProperty("title", "Title; of items without one the record has the id", TEXT, is_parameter=True),
        RecordProperty("collection", "Id of the collection", TEXT, is_sortable=True, is_parameter=True),
        RecordProperty(
            "datetime", "When it was observed", {**DATE_TIME, "x-ogc-role": "primary-instant"}, is_sortable=True
        ),
        RecordProperty("created", "When the item was made", DATE_TIME, is_sortable=True),
        RecordProperty("updated", "When the item changed", DATE_TIME, is_sortable=True),
        RecordProperty("platform", "Platform", TEXT, is_sortable=True, is_parameter=True),
        RecordProperty("constellation", "Constellation", TEXT, is_sortable=True, is_parameter=True),
        RecordProperty("eo:cloud_cover", "Share of clouds, per cent", NUMBER, is_sortable=True, is_parameter=True),
        RecordProperty("gsd", "Distance of pixels, m", NUMBER, is_sortable=True, is_parameter=True),
    ),
    default_order=(("datetime", True),),
    has_more_properties=True,
)
RECORD_COLLECTIONS = (COLLECTION_RECORDS, ITEM_RECORDS)


GEOJSON, HTML, JSON = "application/geo+json", "text/html", "application/json"
CATALOG = "application/ogc-catalog+json"
PROFILE_RECORD = "http://www.opengis.net/def/profile/OGC/0/ogc-record"
PROFILE_CATALOG = "http://www.opengis.net/def/profile/OGC/0/ogc-catalog"
_PHONE = re.compile(r"\+[1-9][0-9]{3,14}", re.ASCII)
ROLES = ("pointOfContact",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsPage:
    """A page of records."""

    records: Sequence[Json | orjson.Fragment]
    matched: int | None
    """Number of matching records on all pages; `None` if they are too many to count."""
    following: tuple[str, str] | None
    """Name and value of the parameter that selects the next page."""
    unanswered: Sequence[Unanswered] = ()
    """Collections whose items are missing from the page."""


def contacts_of(catalogue: Catalogue, language: str) -> Json:
    """Return `contacts`, if the service has any."""
    contact = catalogue.service.contact
    if contact.is_empty:
        return {}
    name = {"name": contact.name} if contact.name else {"organization": text_in(catalogue.service.title, language)}
    return {"contacts": [{**name, **_contact_channels(contact), "roles": list(ROLES)}]}


def _contact_channels(contact: Contact) -> Json:
    channels: Json = {}
    phone = re.sub(r"[ ()/.-]", "", contact.telephone or "")
    if _PHONE.fullmatch(phone):
        channels["phones"] = [{"value": phone}]
    if contact.email:
        channels["emails"] = [{"value": contact.email}]
    address = contact.address
    if address.lines:
        parts = {
            "deliveryPoint": [address.street] if address.street else None,
            "city": address.city,
            "administrativeArea": address.region,
            "postalCode": address.postcode,
            "country": address.country,
        }
        channels["addresses"] = [omit_empty(parts)]
    return channels


def languages_of(context: DocumentContext) -> Json:
    """Return `language` and `languages`: the language of the record, and the available languages."""
    languages = context.catalogue.service.languages
    return {"language": {"code": context.language}, "languages": [{"code": code} for code in languages]}


def address_of(collection: RecordCollection, context: DocumentContext) -> str:
    """Return the public URL of a collection of records."""
    return f"{context.base}/collections/{collection.id}"


def record_links(collection: RecordCollection, id_: str, context: DocumentContext) -> Sequence[Json]:
    """Return the links of a record to itself and to its collection."""
    up = address_of(collection, context)
    record_url = f"{up}/items/{quote(id_, safe='')}"
    return (
        link("self", record_url, GEOJSON, "This record"),
        link("alternate", f"{record_url}?f=html", HTML, "This record as HTML"),
        link("collection", up, CATALOG, collection.title),
        link("profile", PROFILE_RECORD, HTML, "Profile of records"),
    )


def split_templates(links: Sequence[Json]) -> Json:
    """Return `links` without templates, and `linkTemplates` if templates exist."""
    templates = [
        {
            "rel": item["rel"],
            "uriTemplate": item["href"],
            "title": item["title"],
            **({"type": item["type"]} if "type" in item else {}),
        }
        for item in links
        if "templated" in item
    ]
    plain = [item for item in links if "templated" not in item]
    return {"links": plain, **({"linkTemplates": templates} if templates else {})}


# Search for terms in texts (OGC 20-004r1, parameter `q`).


class TextSearch:
    """Searches records for terms; upper and lower case are equal.

    Args:
        terms: A record matches if it contains at least one; without terms all records match.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        patterns = (r"\s+".join(map(re.escape, term.split())) for term in terms)
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE) if terms else None

    def finds(self, record: Json) -> bool:
        """Return whether the id, title, description, a keyword or a layer id of a record contains a term."""
        return self._pattern is None or any(self._pattern.search(text) for text in _texts(record))


def _texts(record: Json) -> Iterator[str]:
    properties = record["properties"]
    yield record["id"]
    yield properties["title"]
    yield properties.get("description", "")
    yield from properties.get("keywords", ())
    yield from properties.get("layers", ())
