"""`/cog`: TiTiler behind the list of allowed places."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from chronotile.protocols.common.raw_headers import sending

PATH = "/cog"
POLICY = b"default-src 'self' https: data: 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'"
"""Of TiTiler's pages, which have inline scripts and scripts of other hosts."""


def cog_routes(prefixes: Sequence[str], *, max_pixels: int) -> list[BaseRoute]:
    """Return the route of TiTiler's endpoints for files below `prefixes`; none where there are none.

    Raises:
        ConfigurationError: A prefix is none, or TiTiler is not installed.
    """
    if not prefixes:
        return []
    # FastAPI and TiTiler take 60 MB, which a server without /cog should not.
    from chronotile.protocols.cog.application import cog_application  # noqa: PLC0415 -- see above

    return [Mount(PATH, _Rooted(cog_application(prefixes, path=PATH, max_pixels=max_pixels)))]


class _Rooted:
    """Adapts requests to a mounted FastAPI application.

    The path must begin with the root path; a proxy's prefix is in the latter only. HEAD is answered as GET, which
    FastAPI does not do by itself; the server leaves the body out. Answers have the policy of TiTiler's pages.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        root = scope.get("root_path", "")
        if not scope["path"].startswith(root):
            scope = {**scope, "path": root.removesuffix(PATH) + scope["path"]}
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, sending(send, ((b"content-security-policy", POLICY),)))
