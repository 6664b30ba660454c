"""Signatures of events, as Standard Webhooks 1.0 has them: HMAC-SHA256 of id, time and body."""

import base64
import hmac
from collections.abc import Mapping

VERSION = "v1"


def signed_headers(body: bytes, *, id_: str, at_s: int, key: bytes) -> Mapping[str, str]:
    """Return the headers by which a subscriber checks who sent a message, and when.

    Args:
        body: Of the message.
        id_: Of the event: the same each time it is tried.
        at_s: When it is sent, seconds since 1970: a message that was recorded is too old later.
        key: Which the subscriber knows.
    """
    content = f"{id_}.{at_s}.".encode() + body
    digest = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return {"webhook-id": id_, "webhook-timestamp": str(at_s), "webhook-signature": f"{VERSION},{digest}"}
