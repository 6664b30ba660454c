"""Cookies of users who sign in: their names, how they are set, and for which requests they count."""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Scope

from chronotile.access.keys import digest_of
from chronotile.core.model.access import IssuerSettings
from chronotile.http.asgi_headers import header_value, join_values
from chronotile.http.server_state import ServerState

SESSION = "chronotile_session"
STARTED = "chronotile_signin"
"""Of a user who is at the provider."""
STARTED_S = 600
SAFE = frozenset({"GET", "HEAD"})
MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Site:
    """Where browsers see this server."""

    base: str
    """Its public URL, without a slash at the end, and without a key."""

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
        """Whether browsers reach it by HTTPS."""
        return self.base.startswith("https://")

    def name(self, cookie: str) -> str:
        """Return the name of a cookie; with its prefix no other host and no page by HTTP can set it (RFC 6265bis)."""
        return f"__Host-{cookie}" if self.is_secure and self.path == "/" else cookie

    def set(self, response: Response, cookie: str, value: str, *, max_age: int | None = None) -> None:
        """Give a cookie to a browser; without a value, take it away."""
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
    """Return the site of a request, whose services need not be known yet."""
    state: ServerState = scope["app"].state.chronotile
    host = header_value(scope["headers"], b"host").decode("latin-1")
    base = state.services.catalogue.service.url or f"{scope['scheme']}://{host}{scope.get('root_path', '')}"
    return Site(base.rstrip("/"))


def cookie_of(scope: Scope, site: Site, cookie: str) -> str | None:
    """Return the value of a cookie that a request has."""
    name = site.name(cookie).encode()
    lines = (value for each, value in scope["headers"] if each == b"cookie")
    for part in b";".join(lines).split(b";"):  # not at commas, which values of other hosts may have
        found, _, value = part.strip().partition(b"=")
        if found == name and 0 < len(value) <= MOST_BYTES and value.isascii():
            return value.decode()
    return None


def is_of_own_page(scope: Scope, site: Site) -> bool:
    """Return whether a page of this server sends a request, or a user by hand, as far as the browser tells.

    Browsers send cookies for pages of other origins too: of the same site always, of others to follow a link.
    """
    origin = header_value(scope["headers"], b"origin").decode("latin-1")
    fetch_site = header_value(scope["headers"], b"sec-fetch-site")
    is_safe = scope["method"] in SAFE
    if origin and origin != site.origin:
        return False
    if fetch_site:
        return fetch_site == b"same-origin" or (is_safe and fetch_site == b"none")
    return bool(origin) or is_safe


def session_cookie(scope: Scope) -> str | None:
    """Return the cookie of a session, if the request has one that counts."""
    if SESSION.encode() not in join_values(scope["headers"], b"cookie"):
        return None
    site = site_of(scope)
    return cookie_of(scope, site, SESSION) if is_of_own_page(scope, site) else None


def session_digest(cookie: str, client: IssuerSettings) -> bytes:
    """Return that by which a session is stored; the sessions of another provider or audience are not found by it."""
    return digest_of(f"{client.issuer} {client.audience} {cookie}")
