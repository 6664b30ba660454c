"""Changes of items as JSON, as events for webhooks (CloudEvents 1.0) and as Atom feeds (RFC 4287)."""

import base64
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import time
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Collection
from chronotile.core.model.items import ChangeKind, ChangePage, FoundItem, ItemChange, product_id
from chronotile.core.model.job import WebhookMessage
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.jobs.queue.webhooks.outbox import WebhookEvent
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.services import Services
from chronotile.protocols.common.attributes import text_of
from chronotile.protocols.common.links import ATOM, asset_path, collection_path, feed_path, item_path, product_path
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import omit_empty
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import name_list, names_of, text, whole
from chronotile.protocols.common.xml import render_xml

PATH = "/stac/changes"
GEOJSON = "application/geo+json"
JSON = "application/json"
_TIMES = ("datetime", "start_datetime", "end_datetime", "updated")


SINCE = text("since", "Cursor of the previous page; without it the answer has no changes, only the current cursor")
COLLECTIONS = name_list("collections", "Ids of collections, separated by commas; default: all")
LIMIT = whole("limit", "Maximum number of changes per page", least=1, most=1000, default=100)
OF_CHANGES = (SINCE, COLLECTIONS, LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesQuery:
    """A requested page of changes."""

    since: str | None
    collections: tuple[str, ...]
    """Empty returns changes of all collections."""
    limit: int


def changes_query(query: Kvp, catalogue: Catalogue) -> ChangesQuery:
    """Return the query of `/stac/changes`.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_names(names_of(OF_CHANGES))
    collections = tuple(dict.fromkeys(COLLECTIONS.optional(query) or ()))
    names = {*catalogue.whole_collections, *catalogue.wholly_unavailable}
    for name in collections:
        if name not in names:
            raise InvalidParameter(f"there is no collection {name[:MAX_SHOWN]!r}", locator=COLLECTIONS.name)
    return ChangesQuery(since=SINCE.optional(query), collections=collections, limit=LIMIT.value(query))


def changes_document(page: ChangePage, query: ChangesQuery, *, base: str) -> dict[str, Any]:
    """Return a page of changes, the cursor of the next page, and the URL of that page if more changes exist now."""
    following = {"since": page.cursor, "collections": ",".join(query.collections), "limit": query.limit}
    return {
        "changes": [change_document(change, base=base) for change in page.changes],
        "since": page.cursor,
        "next": None if page.is_last else f"{base}{PATH}?{urlencode(omit_empty(following))}",
    }


def change_document(change: ItemChange, *, base: str) -> dict[str, Any]:
    """Return a change of an item: its kind and the item's ids, and unless it was removed its times, box and links."""
    members = {"change": change.kind, "collection": change.collection, "id": change.id, "product": str(change.product)}
    if change.item is None:
        return members
    document = public_item(change.item)
    product = {"rel": "enclosure", "title": "The product", "href": f"{base}{product_path(change.product)}"}
    return {
        **members,
        **times_of(document["properties"]),
        "bbox": list(box_of(document)),
        "links": [
            {"rel": "item", "type": GEOJSON, "href": f"{base}{item_path(change.collection, change.id)}"},
            {"rel": "collection", "type": JSON, "href": f"{base}{collection_path(change.collection)}"},
            *([product] if document["assets"] else []),  # an item without files has no product
        ],
    }


def times_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Return the available times of an item; an item with only an interval has no `datetime`."""
    return {name: properties[name] for name in _TIMES if isinstance(properties.get(name), str)}


def box_of(document: Mapping[str, Any]) -> BBox:
    """Return the box of an item, without heights; `document` is an answer of `public_item`."""
    box = document["bbox"]
    half = len(box) // 2
    return BBox(*map(float, (*box[:2], *box[half : half + 2])))


MEDIA_TYPE = "application/cloudevents+json"
TYPES: Mapping[ChangeKind, str] = {
    "added": "org.ogc.api.collection.item.create",
    "replaced": "org.ogc.api.collection.item.replace",
    "removed": "org.ogc.api.collection.item.delete",
}
"""Types of events in OGC API's publish-subscribe workflow (OGC 23-057r1)."""


def event_message(event: WebhookEvent, services: Services, *, clock: Callable[[], float] = time) -> WebhookMessage:
    """Return the message of an event, signed with the current time.

    Raises:
        SourceUnavailable: An item of the index cannot be read.
    """
    document = event_document(event.change, base=services.catalogue.service.url or "")
    body = orjson.dumps(document)
    signed = signed_headers(body, id_=document["id"], at_s=int(clock()), key=event.webhook.key)
    return WebhookMessage(body=body, headers={"Content-Type": MEDIA_TYPE, **signed})


def event_document(change: ItemChange, *, base: str) -> dict[str, Any]:
    """Return a change as a CloudEvent; its id is the same in all attempts to send it.

    Args:
        change: The change.
        base: Public URL of the server without a slash at the end; links have no host if it is empty.
    """
    return {
        "specversion": "1.0",
        "id": f"{change.product}-{change.number}",
        "source": f"{base}{collection_path(change.collection)}",
        "type": TYPES[change.kind],
        "subject": change.id,
        "datacontenttype": "application/json",
        "data": change_document(change, base=base),
    }


# The Atom feed of a collection (RFC 4287), with boxes as GeoRSS-Simple (OGC 17-002r1).

MOST_ENTRIES = 100
BEGINNING = "1970-01-01T00:00:00Z"
"""Time of the last update of a feed without entries if it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPicture:
    """A small picture of an item."""

    href: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """An item in a feed."""

    id: str
    title: str
    updated: str
    published: str | None
    observed: str | None
    """An instant or an interval, in RFC 3339."""
    summary: str
    item: str
    page: str | None
    """URL of the item in the viewer; `None` without a viewer or layers."""
    product: str | None
    """URL of its files; `None` if it has none."""
    picture: FeedPicture | None
    box: str
    """South, west, north, east, in degrees."""


def feed_of(
    collection: Collection,
    items: Sequence[FoundItem],
    services: Services,
    *,
    base: str,
    language: str,
    has_viewer: bool,
) -> bytes:
    """Return the feed of a collection.

    Args:
        collection: The collection.
        items: The newest items, in the order of the feed.
        services: The services of the server.
        base: Public URL without a slash at the end.
        language: Language of titles.
        has_viewer: Whether entries link to the viewer.
    """
    service = services.catalogue.service
    viewer = f"{base}/viewer/?layer={quote(collection.layers[0].id)}" if has_viewer and collection.layers else None
    entries = [_entry(item, base, viewer) for item in items]
    changed = BEGINNING if services.changed is None else format_instant(services.changed)
    return render_xml(
        "catalogue/changes/templates/feed.xml",
        language=language,
        id=f"urn:uuid:{product_id(collection.id, '')}",
        title=text_in(collection.title, language),
        subtitle=text_in(collection.abstract, language),
        rights=collection.license,
        author=service.contact.name or text_in(service.title, language),
        email=service.contact.email,
        updated=max((entry.updated for entry in entries), key=datetime.fromisoformat, default=changed),
        entries=entries,
        address=f"{base}{feed_path(collection.id)}",
        collection=f"{base}{collection_path(collection.id)}",
        geojson=GEOJSON,
        json=JSON,
        media_type=ATOM,
        search=f"{base}/opensearch?collection={quote(collection.id, safe='')}",
    )


def _entry(item: FoundItem, base: str, viewer: str | None) -> FeedEntry:
    document = public_item(item)
    properties: Mapping[str, Any] = document["properties"]
    observed = "/".join(_observation_times(properties)) or None
    created = _time(properties.get("created"))
    box = west, south, east, north = box_of(document)
    place = f"&date={format_instant(item.ref.instant)}&bbox={','.join(map(_degrees, box))}"
    return FeedEntry(
        id=f"urn:uuid:{item.product}",
        title=text_of(properties.get("title")) or item.ref.id,
        updated=_time(properties.get("updated")) or created or format_instant(item.ref.instant),
        published=created,
        observed=observed,
        summary=_summary(properties, observed),
        item=f"{base}{item_path(item.collection, item.ref.id)}",
        page=None if viewer is None else f"{viewer}{place}",
        product=f"{base}{product_path(item.product)}" if document["assets"] else None,
        picture=_picture(item, document["assets"], base),
        box=" ".join(map(_degrees, (south, west, north, east))),
    )


def _degrees(edge: float) -> str:
    return f"{edge:.7f}".rstrip("0").rstrip(".")


def _observation_times(properties: Mapping[str, Any]) -> Iterator[str]:
    times = times_of(properties)
    names = ("datetime",) if "datetime" in times else ("start_datetime", "end_datetime")
    yield from filter(None, (_time(times.get(name)) for name in names))


def _summary(properties: Mapping[str, Any], observed: str | None) -> str:
    cloud = properties.get("eo:cloud_cover")
    parts = [
        text_of(properties.get("description")),
        observed,
        text_of(properties.get("platform")),
        f"cloud cover {cloud:g} %" if isinstance(cloud, int | float) and not isinstance(cloud, bool) else None,
    ]
    return ", ".join(part for part in parts if part)


def _picture(item: FoundItem, assets: Mapping[str, Mapping[str, Any]], base: str) -> FeedPicture | None:
    """Return the asset that is a thumbnail, else one that is an overview; `None` if it has neither."""
    for role in ("thumbnail", "overview"):
        for name, asset in assets.items():
            roles, media_type = asset.get("roles"), text_of(asset.get("type"))
            if isinstance(roles, list) and role in roles and (media_type or "image/").startswith("image/"):
                return FeedPicture(href=f"{base}{asset_path(item.product, name)}", media_type=media_type)
    return None


def _time(value: object) -> str | None:
    """Return a time of an item in RFC 3339; `None` if the value is not a time."""
    if not isinstance(value, str):
        return None
    try:
        return format_instant(parse_instant(value).start)
    except InvalidParameter:
        return None


VERSION = "v1"


def signed_headers(body: bytes, *, id_: str, at_s: int, key: bytes) -> Mapping[str, str]:
    """Return the headers by which a subscriber checks the sender and the time of a message (Standard Webhooks).

    Args:
        body: The body of the message.
        id_: The id of the event, the same in all attempts to send it.
        at_s: Time of sending in seconds since 1970: subscribers reject old messages, which may be recordings.
        key: The key that the subscriber shares.
    """
    digest = base64.b64encode(hmac.digest(key, f"{id_}.{at_s}.".encode() + body, "sha256")).decode()
    return {"webhook-id": id_, "webhook-timestamp": str(at_s), "webhook-signature": f"{VERSION},{digest}"}
