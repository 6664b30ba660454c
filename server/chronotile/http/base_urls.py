"""Public base URLs of links."""

from starlette.requests import Request

from chronotile.http.request_services import services_of

KEY_PATH = "chronotile.key_path"
"""Where a request has the beginning of its path that was a key, which its links repeat."""


def base_url(request: Request) -> str:
    """Return the public base URL for links, without a slash at the end: the configured one, else the request's own.

    Forwarded headers of trusted proxies are in it already (`Forwarded` in `http.guard`).
    """
    configured = services_of(request).catalogue.service.url
    if configured:
        return f"{configured}{request.scope.get(KEY_PATH, '')}"
    return str(request.base_url).rstrip("/")


def url_without_key(request: Request) -> str:
    """Return the base URL as of a request whose path has no key: for links that go to others."""
    return base_url(request).removesuffix(request.scope.get(KEY_PATH, ""))
