"""Pages of lists: their parameters and links."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from chronotile.core.model.types import Json
from chronotile.protocols.common.links import link
from chronotile.protocols.common.query.parameter import Parameter, whole_up_to

MAX_OFFSET = 10**9
"""Larger than any list of an archive."""


def offset_parameter(description: str) -> Parameter[int]:
    """Return the parameter `offset`; larger values are reduced to `MAX_OFFSET`."""
    return replace(whole_up_to("offset", "", most=MAX_OFFSET, default=0, least=0), description=description)


def own_links(url: str, title: str, page_title: str, query: str = "") -> list[Json]:
    """Return the links of a document to itself, as JSON and as HTML."""
    start = f"{url}?{query}{'&' if query else ''}"
    return [
        link("self", f"{start}f=json", "application/json", title),
        link("alternate", f"{start}f=html", "text/html", page_title),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """A page of a list."""

    limit: int
    offset: int = 0
    written: tuple[tuple[str, str], ...] = ()
    """Selecting parameters as the client wrote them, repeated in links."""
    usual_limit: int | None = None
    """Default limit, which the link to the first page omits."""

    @property
    def end(self) -> int:
        """The offset of the next page."""
        return self.offset + self.limit

    def query(self, offset: int) -> str:
        """Return the query of another page."""
        limit = [] if self.limit == self.usual_limit and not offset else [("limit", str(self.limit))]
        return urlencode([*self.written, *limit, *([("offset", str(offset))] if offset else [])], safe="/:,")

    def following(self, matched: int) -> int | None:
        """Return the offset of the next page, or `None` if `matched` entries end with this one."""
        return self.end if self.end < matched else None

    def links(self, url: str, titles: tuple[str, str, str], matched: int) -> list[Json]:
        """Return the links of a page of `matched` entries: itself as JSON and as HTML, and the next page."""
        title, page_title, next_title = titles
        links, following = own_links(url, title, page_title, self.query(self.offset)), self.following(matched)
        if following is not None:
            links.append(link("next", f"{url}?{self.query(following)}&f=json", "application/json", next_title))
        return links
