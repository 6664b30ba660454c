"""Pages of long series: `limit` and `cursor` of a query, and the link to the next page."""

from urllib.parse import quote

from starlette.requests import Request

from chronotile.errors import InvalidParameter
from chronotile.model.series.analysis import Analysis
from chronotile.model.time.instants import Instant
from chronotile.pipeline.series.pages import Page
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.cursor import CURSOR, url_of_page
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import whole

LIMIT = whole("limit", "Maximum number of times per page; the header `Link` has the next page", least=1)
PAGING = (LIMIT, CURSOR)


def page_of(query: Kvp, analysis: Analysis | None) -> Page | None:
    """Return the requested page of times, `None` for all times at once.

    Raises:
        InvalidParameter: A parameter is not accepted, or an analysis is requested, which takes all times.
    """
    cursor, is_paged = CURSOR.given(query), query.optional(LIMIT.name) is not None
    if not is_paged:
        if cursor is not None:
            raise InvalidParameter("cursor belongs to limit, the times of a page", locator="cursor")
        return None
    if analysis is not None:
        raise InvalidParameter("an analysis takes all times at once; leave limit out", locator="limit")
    return Page(limit=LIMIT.of(query), cursor=cursor)


def link_to_next(request: Request, following: Instant | None) -> dict[str, str]:
    """Return the header that names the next page (RFC 8288), where there is one."""
    if following is None:
        return {}
    path = f"{base_url(request)}{quote(request.url.path.removeprefix(request.scope.get('root_path', '')))}"
    return {"Link": f'<{url_of_page(path, request.query_params.multi_items(), following)}>; rel="next"'}
