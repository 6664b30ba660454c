"""The Atom feed of a collection (RFC 4287), with boxes as GeoRSS-Simple (OGC 17-002r1)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from chronotile.errors import InvalidParameter
from chronotile.model.collection import Collection
from chronotile.model.items import FoundItem, product_id
from chronotile.model.time.instants import format_instant
from chronotile.model.time.parser import parse_instant
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.services import Services
from chronotile.protocols.changes.documents import GEOJSON, JSON, box_of, times_of
from chronotile.protocols.common.item_links import ATOM, collection_path, feed_path, item_path
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.product_links import asset_path, product_path
from chronotile.protocols.common.responses.xml import render_xml

MOST_ENTRIES = 100
BEGINNING = "1970-01-01T00:00:00Z"
"""When a feed without entries was updated, where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A small picture of an item."""

    href: str
    media_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An item of a feed."""

    id: str
    title: str
    updated: str
    published: str | None
    observed: str | None
    """One instant, or an interval."""
    summary: str
    item: str
    page: str | None
    """The item in the viewer."""
    product: str | None
    """Its files, if it has any."""
    picture: Picture | None
    box: str
    """South, west, north, east."""


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
        collection: It.
        items: The newest, in their order.
        services: Of the server.
        base: Public URL without a slash at the end.
        language: Of titles.
        has_viewer: Whether there is a viewer to link to.
    """
    service = services.catalogue.service
    viewer = f"{base}/viewer/?layer={quote(collection.layers[0].id)}" if has_viewer and collection.layers else None
    entries = [_entry(item, base, viewer) for item in items]
    changed = BEGINNING if services.changed is None else format_instant(services.changed)
    return render_xml(
        "changes/templates/feed.xml",
        language=language,
        id=f"urn:uuid:{product_id(collection.id, '')}",
        title=text_in(collection.title, language),
        subtitle=text_in(collection.abstract, language),
        rights=collection.license,
        author=service.contact.name or text_in(service.title, language),
        email=service.contact.email,
        updated=max((each.updated for each in entries), key=_as_time, default=changed),
        entries=entries,
        address=f"{base}{feed_path(collection.id)}",
        collection=f"{base}{collection_path(collection.id)}",
        geojson=GEOJSON,
        json=JSON,
        media_type=ATOM,
    )


def _entry(item: FoundItem, base: str, viewer: str | None) -> Entry:
    document = public_item(item)
    properties: Mapping[str, Any] = document["properties"]
    observed = "/".join(_observed(properties)) or None
    created = _time(properties.get("created"))
    box = west, south, east, north = box_of(document)
    place = f"&date={format_instant(item.ref.instant)}&bbox={','.join(map(_degrees, box))}"
    return Entry(
        id=f"urn:uuid:{item.product}",
        title=_text(properties.get("title")) or item.ref.id,
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


def _observed(properties: Mapping[str, Any]) -> Iterator[str]:
    times = times_of(properties)
    names = ("datetime",) if "datetime" in times else ("start_datetime", "end_datetime")
    for name in names:
        time = _time(times.get(name))
        if time is not None:
            yield time


def _summary(properties: Mapping[str, Any], observed: str | None) -> str:
    cloud = properties.get("eo:cloud_cover")
    parts = [
        _text(properties.get("description")),
        observed,
        _text(properties.get("platform")),
        f"cloud cover {cloud:g} %" if isinstance(cloud, int | float) and not isinstance(cloud, bool) else None,
    ]
    return ", ".join(part for part in parts if part)


def _picture(item: FoundItem, assets: Mapping[str, Mapping[str, Any]], base: str) -> Picture | None:
    """The asset that is a thumbnail, else one that is an overview."""
    for role in ("thumbnail", "overview"):
        for name, asset in assets.items():
            roles, media_type = asset.get("roles"), _text(asset.get("type"))
            if isinstance(roles, list) and role in roles and (media_type or "image/").startswith("image/"):
                return Picture(href=f"{base}{asset_path(item.product, name)}", media_type=media_type)
    return None


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _time(value: object) -> str | None:
    """A time of an item as RFC 3339 has it; `None` where it is none."""
    if not isinstance(value, str):
        return None
    try:
        return format_instant(parse_instant(value).start)
    except InvalidParameter:
        return None


def _as_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
