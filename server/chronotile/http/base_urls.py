"""Public base URLs of links."""

from starlette.requests import Request

from chronotile.http.request_services import services_of

KEY_PATH = "chronotile.key_path"
"""ASGI scope key of the key at the beginning of the path, which the links of the answer repeat."""


def base_url(request: Request) -> str:
    """Return the public base URL without a slash at the end: the configured URL, or else the URL of the request.

    `Forwarded` has already applied the headers of trusted proxies.
    """
    configured = services_of(request).catalogue.service.url
    if configured:
        return f"{configured}{request.scope.get(KEY_PATH, '')}"
    return str(request.base_url).rstrip("/")


def url_without_key(request: Request) -> str:
    """Return the base URL without the client's key, for links that the client passes on."""
    return base_url(request).removesuffix(request.scope.get(KEY_PATH, ""))
