"""Changes as events for webhooks: CloudEvents 1.0 in JSON, structured mode, signed."""

from collections.abc import Callable, Mapping
from time import time
from typing import Any

import orjson

from chronotile.model.items import ChangeKind, ItemChange
from chronotile.model.job import Message
from chronotile.pipeline.services import Services
from chronotile.protocols.changes.documents import change_document
from chronotile.protocols.changes.signature import signed_headers
from chronotile.protocols.common.item_links import collection_path
from chronotile.queue.webhooks.outbox import WebhookEvent

MEDIA_TYPE = "application/cloudevents+json"
TYPES: Mapping[ChangeKind, str] = {
    "added": "org.ogc.api.collection.item.create",
    "replaced": "org.ogc.api.collection.item.replace",
    "removed": "org.ogc.api.collection.item.delete",
}
"""Names of OGC API's publish-subscribe workflow (OGC 23-057r1)."""


def event_message(event: WebhookEvent, services: Services, *, clock: Callable[[], float] = time) -> Message:
    """Return the message of an event, signed with the time of now.

    Raises:
        SourceUnavailable: An item of the index cannot be read.
    """
    document = event_document(event.change, base=services.catalogue.service.url or "")
    body = orjson.dumps(document)
    signed = signed_headers(body, id_=document["id"], at_s=int(clock()), key=event.webhook.key)
    return Message(body=body, headers={"Content-Type": MEDIA_TYPE, **signed})


def event_document(change: ItemChange, *, base: str) -> dict[str, Any]:
    """Return a change as a CloudEvent, whose id is the same each time it is sent.

    Args:
        change: It.
        base: Public URL of the server without a slash at the end; empty: links have no host.
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
