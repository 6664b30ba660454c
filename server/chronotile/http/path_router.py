"""Router that finds the route of a path by its first segment, and redirects paths with a wrong slash at the end."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, Mount, Router
from starlette.types import Receive, Scope, Send


class PathRouter:
    """Application that answers with the routes of a router.

    It compares only the routes with the first segment of the requested path, since a server has hundreds of routes.

    A path with one slash too many at its end, or the path of a mounted application without its slash, is redirected to
    a relative address, which is valid behind any proxy. Redirects of Starlette contain the path that the proxy passes
    on, without the prefix that clients use.

    Args:
        router: Its routes must be complete.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        segments = [_first_segment(getattr(route, "path", "")) for route in router.routes]
        routes = list(zip(router.routes, segments, strict=True))
        self._variable_routes = [route for route, segment in routes if segment is None]
        """Routes whose first segment is a parameter."""
        self._routes_by_segment: dict[str, list[BaseRoute]] = {
            name: [route for route, segment in routes if segment in {name, None}]
            for name in set(segments)
            if name is not None
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._router.app(scope, receive, send)
            return
        match = self._match(scope)
        if match is not None:
            scope.setdefault("router", self._router)
            scope["route"], child_scope = match
            scope.update(child_scope)
            await scope["route"].handle(scope, receive, send)
            return
        location = self._redirect_location(scope)
        answer = self._router.default if location is None else RedirectResponse(location)
        await answer(scope, receive, send)

    def _match(self, scope: Scope) -> tuple[BaseRoute, Scope] | None:
        """Return the first route that accepts the path and the method, or the first route of the path (for a 405)."""
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
        local_path = path.removeprefix(root) if path.startswith(f"{root}/") else path
        return self._routes_by_segment.get(local_path[1:].partition("/")[0], self._variable_routes)

    def _redirect_location(self, scope: Scope) -> str | None:
        path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
        bare_path = path.removesuffix("/")  # only one slash: clients resolve addresses after several differently
        name = quote(bare_path.rpartition("/")[2], safe="")
        if bare_path and bare_path != path and self._has_route(scope, bare_path, BaseRoute):
            location = f"../{name}"
        elif bare_path == path and self._has_route(scope, f"{path}/", Mount):
            location = f"./{name}/"
        else:
            return None
        return f"{location}?{query}" if query else location

    def _has_route(self, scope: Scope, path: str, kind: type[BaseRoute]) -> bool:
        path_scope = {**scope, "path": path}
        return any(
            isinstance(route, kind) and route.matches(path_scope)[0] is not Match.NONE
            for route in self._candidates(path_scope)
        )


def _first_segment(pattern: str) -> str | None:
    segment = pattern[1:].partition("/")[0]
    return None if not pattern or "{" in segment else segment
