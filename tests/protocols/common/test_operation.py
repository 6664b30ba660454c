"""Operations as routes: selection of the operation if several match a path."""

import re

from starlette.routing import Match, Route

from chronotile.protocols.common.operation import routes_of
from chronotile.protocols.site.openapi.routes import OPERATIONS

PRODUCT = "6f1c9a30-6a4e-4c1e-9d51-0f6a4e4c1e9d"


def test_no_operation_hides_another():
    routes = [route for route in routes_of(OPERATIONS) if isinstance(route, Route)]
    names = {part for route in routes for part in route.path.split("/") if part and "{" not in part}

    for operation in OPERATIONS:
        for own in (*sorted(names), "7"):
            path = re.sub(r"\{[^}]*\}", own, operation.path.replace("{product:uuid}", PRODUCT))
            scope = {"type": "http", "method": operation.method, "path": path, "root_path": ""}
            matching = [route for route in routes if route.matches(scope)[0] is Match.FULL]
            assert operation.path in {route.path for route in matching}
            assert len(re.sub(r"\{[^}]*\}", "", matching[0].path)) == max(
                len(re.sub(r"\{[^}]*\}", "", route.path)) for route in matching
            )
