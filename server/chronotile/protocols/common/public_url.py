"""The address under which clients reach the service, for the links in documents."""

from typing import Any

from starlette.requests import Request

from chronotile.protocols.common.state import services_of


def base_url(request: Request) -> str:
    """Return the public base URL without a slash at the end: the configured one, else the request's own.

    Forwarded headers of trusted proxies are in it already (`protocols.common.forwarded`).
    """
    configured = services_of(request).catalogue.service.url
    return configured or str(request.base_url).rstrip("/")


def link(rel: str, href: str, media_type: str, title: str, *, is_template: bool = False) -> dict[str, Any]:
    """Return a link of a JSON document; `is_template`: `href` is a URI template (RFC 6570)."""
    document = {"rel": rel, "href": href, "type": media_type, "title": title}
    return {**document, "templated": True} if is_template else document
