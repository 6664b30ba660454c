"""Paths with one slash too many at their end, or those of mounted applications with one too few."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, Mount, Router
from starlette.types import Receive, Scope, Send


class SlashRedirects:
    """Redirects to the path that a router has, by a relative address: it holds under any prefix of any proxy.

    Starlette's own redirects name the path that the proxy passes on, without the prefix that clients see.

    Args:
        router: Whose paths there are; it calls this where it has no route.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._otherwise = router.default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        location = self._location(scope) if scope["type"] == "http" else None
        answer = self._otherwise if location is None else RedirectResponse(location)
        await answer(scope, receive, send)

    def _location(self, scope: Scope) -> str | None:
        path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
        bare = path.removesuffix("/")  # one: clients differ in how they resolve an address after several
        name = quote(bare.rpartition("/")[2], safe="")
        if bare and bare != path and self._has(scope, bare, self._router.routes):
            location = f"../{name}"
        elif bare == path and self._has(
            scope, f"{path}/", [each for each in self._router.routes if isinstance(each, Mount)]
        ):
            location = f"./{name}/"
        else:
            return None
        return f"{location}?{query}" if query else location

    @staticmethod
    def _has(scope: Scope, path: str, routes: Sequence[BaseRoute]) -> bool:
        return any(route.matches({**scope, "path": path})[0] is not Match.NONE for route in routes)
