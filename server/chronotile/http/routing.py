"""The route of a path, looked up by the first segment of the path; redirects where a slash at the end is wrong."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, Mount, Router
from starlette.types import Receive, Scope, Send


class PathRouter:
    """Answers with the routes of a router, of which it compares only those that share the first segment of a path.

    A path with one slash too many at its end, or that of a mounted application with one too few, is redirected by a
    relative address, which holds under any prefix of any proxy. Starlette's own redirects name the path that the proxy
    passes on, without the prefix that clients see.

    Args:
        router: Whose routes there are, all of them.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        firsts = [_first_segment(getattr(each, "path", "")) for each in router.routes]
        self._unbound = [route for route, first in zip(router.routes, firsts, strict=True) if first is None]
        self._bound: dict[str, list[BaseRoute]] = {
            name: [route for route, first in zip(router.routes, firsts, strict=True) if first in {name, None}]
            for name in set(firsts)
            if name is not None
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._router.app(scope, receive, send)
            return
        found = self._route(scope)
        if found is not None:
            scope.setdefault("router", self._router)
            scope["route"], child_scope = found
            scope.update(child_scope)
            await scope["route"].handle(scope, receive, send)
            return
        location = self._location(scope)
        answer = self._router.default if location is None else RedirectResponse(location)
        await answer(scope, receive, send)

    def _route(self, scope: Scope) -> tuple[BaseRoute, Scope] | None:
        """The first route that takes the request, or else the first of its path, which refuses the method."""
        partial = None
        for route in self._candidates(scope):
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                return route, child_scope
            if match is Match.PARTIAL and partial is None:
                partial = route, child_scope
        return partial

    def _candidates(self, scope: Scope) -> Sequence[BaseRoute]:
        path, root = scope["path"], scope.get("root_path", "")
        below = path.removeprefix(root) if path.startswith(f"{root}/") else path
        return self._bound.get(below[1:].partition("/")[0], self._unbound)

    def _location(self, scope: Scope) -> str | None:
        path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
        bare = path.removesuffix("/")  # one: clients differ in how they resolve an address after several
        name = quote(bare.rpartition("/")[2], safe="")
        if bare and bare != path and self._has(scope, bare, BaseRoute):
            location = f"../{name}"
        elif bare == path and self._has(scope, f"{path}/", Mount):
            location = f"./{name}/"
        else:
            return None
        return f"{location}?{query}" if query else location

    def _has(self, scope: Scope, path: str, kind: type[BaseRoute]) -> bool:
        there = {**scope, "path": path}
        return any(
            isinstance(route, kind) and route.matches(there)[0] is not Match.NONE for route in self._candidates(there)
        )


def _first_segment(pattern: str) -> str | None:
    first = pattern[1:].partition("/")[0]
    return None if not pattern or "{" in first else first  # which has several, or any
