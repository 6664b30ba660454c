"""Changes of items as events for webhooks (CloudEvents 1.0), signed as in Standard Webhooks."""

import base64
import hmac
from collections.abc import Callable, Mapping
from time import time
from typing import Any

import orjson

from chronotile.core.model.items import ChangeKind, ItemChange
from chronotile.core.model.job import WebhookMessage
from chronotile.jobs.queue.webhooks.outbox import WebhookEvent
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.changes.documents import change_document
from chronotile.protocols.common.links import collection_path

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
    """Return a change as a CloudEvent; its id is the same in all attempts, and an empty `base` makes relative links."""
    return {
        "specversion": "1.0",
        "id": f"{change.product}-{change.number}",
        "source": f"{base}{collection_path(change.collection)}",
        "type": TYPES[change.kind],
        "subject": change.id,
        "datacontenttype": "application/json",
        "data": change_document(change, base=base),
    }


VERSION = "v1"


def signed_headers(body: bytes, *, id_: str, at_s: int, key: bytes) -> Mapping[str, str]:
    """Return the headers by which a subscriber checks the sender and the time of a message (Standard Webhooks).

    Subscribers reject old messages, which may be recordings: `at_s` is the time of sending in seconds since 1970.
    """
    digest = base64.b64encode(hmac.digest(key, f"{id_}.{at_s}.".encode() + body, "sha256")).decode()
    return {"webhook-id": id_, "webhook-timestamp": str(at_s), "webhook-signature": f"{VERSION},{digest}"}
