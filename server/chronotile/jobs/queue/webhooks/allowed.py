"""Webhooks that the operator allows."""

from collections.abc import Iterable, Iterator

from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.finding import Finding
from chronotile.core.model.webhook import Webhook
from chronotile.core.web.places import AllowedPlaces, Outside, remote_place

SUBSCRIBER_SETTING = "CHRONOTILE_SUBSCRIBER_PREFIXES"


def is_allowed(webhook: Webhook, places: AllowedPlaces) -> bool:
    """Return whether the URL of a webhook lies below an allowed prefix."""
    try:
        places.find(webhook.url)
    except (Outside, ValueError):
        return False
    return True


def select_allowed(webhooks: Iterable[Webhook], places: AllowedPlaces) -> tuple[Webhook, ...]:
    """Return the webhooks whose URLs lie below an allowed prefix."""
    return tuple(webhook for webhook in webhooks if is_allowed(webhook, places))


def webhook_findings(service: ServiceInfo, places: AllowedPlaces) -> Iterator[Finding]:
    """Yield an error per webhook with a forbidden URL, and a warning if links in events would lack a host."""
    for webhook in service.webhooks:
        if not is_allowed(webhook, places):
            prefix = remote_place(webhook.url).root.url
            yield Finding(
                "error",
                webhook.name,
                f"gets no events: its URL is not below a prefix that is allowed; add {prefix}, or a longer beginning "
                f"of the URL, to {SUBSCRIBER_SETTING}",
            )
    if service.url is None and service.webhooks:
        message = "is not set, so links in events of webhooks have no host; set it to the public URL of this server"
        yield Finding("warning", "service.url", message)
