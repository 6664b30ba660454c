"""Cookies of signed-in users: names, attributes, and the requests for which they count."""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Scope

from chronotile.access.keys import digest_of
from chronotile.core.model.access import IssuerSettings
from chronotile.http.asgi_headers import header_value, join_values
from chronotile.http.server_state import ServerState

SESSION = "chronotile_session"
SIGN_IN = "chronotile_signin"
"""Cookie of a browser whose user is at the identity provider."""
SIGN_IN_S = 600
SAFE_METHODS = frozenset({"GET", "HEAD"})
MAX_COOKIE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Site:
    """The public address of this server."""

    base: str
    """Public URL without a slash at the end and without a key."""

    @property
    def origin(self) -> str:
        """Scheme and host."""
        return "/".join(self.base.split("/", 3)[:3])

    @property
    def path(self) -> str:
        """Path of cookies."""
        return f"/{''.join(self.base.split('/', 3)[3:])}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers use HTTPS."""
        return self.base.startswith("https://")

    def name(self, cookie: str) -> str:
        """Return the name of a cookie; the prefix protects it from other hosts and HTTP (RFC 6265bis)."""
        return f"__Host-{cookie}" if self.is_secure and self.path == "/" else cookie

    def set(self, response: Response, cookie: str, value: str, *, max_age: int | None = None) -> None:
        """Set a cookie in the browser; an empty value removes it."""
        response.set_cookie(
            self.name(cookie),
            value,
            max_age=max_age if value else 0,
            path=self.path,
            secure=self.is_secure,
            httponly=True,
            samesite="lax",
        )


def site_of(scope: Scope) -> Site:
    """Return the site of a request, before its services are resolved."""
    state: ServerState = scope["app"].state.chronotile
    host = header_value(scope["headers"], b"host").decode("latin-1")
    base = state.services.catalogue.service.url or f"{scope['scheme']}://{host}{scope.get('root_path', '')}"
    return Site(base.rstrip("/"))


def cookie_of(scope: Scope, site: Site, cookie: str) -> str | None:
    """Return the value of a cookie; `None` if it is missing or invalid."""
    name = site.name(cookie).encode()
    lines = (value for header, value in scope["headers"] if header == b"cookie")
    for part in b";".join(lines).split(b";"):  # not at commas: cookies of other servers may contain them
        part_name, _, value = part.strip().partition(b"=")
        if part_name == name and 0 < len(value) <= MAX_COOKIE_BYTES and value.isascii():
            return value.decode()
    return None


def is_from_own_page(scope: Scope, site: Site) -> bool:
    """Return whether a page of this server, or a user at the address bar, sent a request.

    Browsers send cookies for other pages too: always for pages of the same site, and for links of all other pages.
    """
    origin = header_value(scope["headers"], b"origin").decode("latin-1")
    fetch_site = header_value(scope["headers"], b"sec-fetch-site")
    is_safe = scope["method"] in SAFE_METHODS
    if origin and origin != site.origin:
        return False
    if fetch_site:
        return fetch_site == b"same-origin" or (is_safe and fetch_site == b"none")
    return bool(origin) or is_safe


def session_cookie(scope: Scope) -> str | None:
    """Return the session cookie; `None` if it is missing or was sent for a page of another origin."""
    if SESSION.encode() not in join_values(scope["headers"], b"cookie"):
        return None
    site = site_of(scope)
    return cookie_of(scope, site, SESSION) if is_from_own_page(scope, site) else None


def session_digest(cookie: str, client: IssuerSettings) -> bytes:
    """Return the digest by which a session is stored; it depends on the provider and the audience."""
    return digest_of(f"{client.issuer} {client.audience} {cookie}")
