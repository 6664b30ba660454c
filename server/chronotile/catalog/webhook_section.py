"""The section `service.webhooks`: subscribers of changes of items."""

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from chronotile.catalog.source_section import FilterText
from chronotile.core.model.webhook import Webhook
from chronotile.core.sections import Id, Section, Text
from chronotile.core.web.places import remote_place

SECRET_PREFIX = "whsec_"  # noqa: S105 -- not a secret
"""Prefix of secrets in base64 (Standard Webhooks)."""
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 256


def _check_url(text: str) -> str:
    try:
        place = remote_place(text)
    except ValueError as error:
        raise ValueError(f"not a plain URL: {error}") from error
    if place.scheme not in {"http", "https"}:
        raise ValueError(f"{place.scheme}:// is not accepted; accepted are https:// and http://")
    return text


def _check_secret(secret: object) -> object:
    """Check a secret without repeating it in messages."""
    if not isinstance(secret, str):
        raise ValueError("must be text; put it in quotes")  # noqa: TRY004 -- pydantic's way to refuse
    length = len(_decode_secret(secret))
    if not MIN_SECRET_BYTES <= length <= MAX_SECRET_BYTES:
        raise ValueError(f"a key of {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes is needed, got one of {length}")
    return secret


def _decode_secret(text: str) -> bytes:
    """Return the key of a secret: base64 after `whsec_`, otherwise the text in UTF-8."""
    if not text.startswith(SECRET_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"what follows {SECRET_PREFIX} is not base64") from error


class WebhookSection(Section):
    """A subscriber of changes of items."""

    url: Annotated[Text, AfterValidator(_check_url)]
    """URL (https:// or http://) that receives events, without user and query. CHRONOTILE_SUBSCRIBER_PREFIXES must allow
    it."""
    secret: Annotated[SecretStr, BeforeValidator(_check_secret)]
    """Key of the signatures, at least 24 bytes: `whsec_` and base64, or any text; preferably from a variable,
    ${NAME}."""
    collection: Id | None = None
    """Collection whose changes are sent; default: all."""
    filter: FilterText | None = None
    """CQL2 text that new and replaced items must match, such as `eo:cloud_cover < 20`."""

    def webhook(self, name: str) -> Webhook:
        """Return the subscriber; `name` is its key in the configuration."""
        from chronotile.catalog.items.cql2.tree import filter_from_text  # noqa: PLC0415 -- loaded with the first filter

        return Webhook(
            url=self.url,
            collection=self.collection,
            filter=None if self.filter is None else filter_from_text(self.filter),
            key=_decode_secret(self.secret.get_secret_value()),
            name=name,
        )


def require_unique_webhooks(webhooks: tuple[WebhookSection, ...]) -> tuple[WebhookSection, ...]:
    """Return the webhooks, or raise `ValueError` if two have the same URL, collection and filter."""
    earlier = set[tuple[str, str | None, str | None]]()
    for index, webhook in enumerate(webhooks):
        key = webhook.url, webhook.collection, webhook.filter
        if key in earlier:
            raise ValueError(f"entry {index} has the same url, collection and filter as one before it")
        earlier.add(key)
    return webhooks
