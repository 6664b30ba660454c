"""Atom feeds of collections (RFC 4287), with boxes as GeoRSS-Simple (OGC 17-002r1)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Collection
from chronotile.core.model.items import FoundItem, product_id
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.changes.documents import GEOJSON, JSON, box_of, times_of
from chronotile.protocols.common.attributes import text_of
from chronotile.protocols.common.links import ATOM, asset_path, collection_path, feed_path, item_path, product_path
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.xml import render_xml

MAX_ENTRIES = 100
BEGINNING = "1970-01-01T00:00:00Z"
"""`updated` of a feed without entries, if the time of the last change is unknown."""


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
    """Return the feed of a collection with its newest items, in their order; with a viewer, entries link to it."""
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
