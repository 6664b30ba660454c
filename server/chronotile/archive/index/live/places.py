"""Where a walk through the pages of an API stands, as text that clients give back, and which addresses it may lead to.

Anyone can make such a text: an address outside of the API is refused, and what is found is checked as all items are.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from chronotile.archive.index.apis import ApiSearch, Request
from chronotile.archive.index.documents import Json
from chronotile.errors import AddressRefused, InvalidParameter
from chronotile.web.item_places import split_query
from chronotile.web.places import Outside, Places

MOST_TEXT = 6_000
"""Of a place: longer ones do not fit into the links of all clients."""
MOST_SKIPPED = 100_000
MEMBERS = 4
LIMIT = "limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """Where the next page of a search begins."""

    request: Request
    """A page of the API."""
    skipped: int = 0
    """Items at its beginning that came before."""

    def text(self, first: Request, api: ApiSearch) -> str:
        """Return it as text, without the address of the API and what the first page of the search has as well.

        Raises:
            AddressRefused: It is too long.
        """
        members, is_whole = _difference(self.request.body, first.body)
        found = orjson.dumps([self.request.href.removeprefix(api.root), members, is_whole, self.skipped]).decode()
        if len(found) > MOST_TEXT:
            raise AddressRefused("its link to the next page is too long")
        return found


def place_of(text: str, first: Request, api: ApiSearch) -> PagePlace:
    """Return the place of a text.

    Args:
        text: As `PagePlace.text` makes it.
        first: The first page of the search.
        api: To whose addresses it has to lead.

    Raises:
        InvalidParameter: It is not one of this search.
    """
    refused = InvalidParameter("cursor is not that of a page of this search", locator="cursor")
    try:
        found: Any = orjson.loads(text) if len(text) <= MOST_TEXT else None
    except orjson.JSONDecodeError as error:
        raise refused from error
    if not (isinstance(found, list) and len(found) == MEMBERS):
        raise refused
    href, members, is_whole, skipped = found
    is_valid = (
        isinstance(href, str)
        and href[:1] in {"", "/", "?"}
        and isinstance(members, dict | None)
        and isinstance(is_whole, bool)
    )
    if not is_valid or type(skipped) is not int or not 0 <= skipped <= MOST_SKIPPED:
        raise refused
    body = None if members is None else members if is_whole else {**(first.body or {}), **members}
    try:
        return PagePlace(request=within(Request(href=api.root + href, body=body), api), skipped=skipped)
    except AddressRefused as error:
        raise refused from error


def within(request: Request, api: ApiSearch) -> Request:
    """Return a request whose address is in its one spelling.

    Raises:
        AddressRefused: It lies outside of the API.
    """
    try:
        plain, query = split_query(request.href)
        return Request(href=Places([api.root]).find(plain) + query, body=request.body)
    except (Outside, ValueError, OSError) as error:
        raise AddressRefused("its link to the next page leads out of the API") from error


def _difference(body: Json | None, first: Json | None) -> tuple[Json | None, bool]:
    """The members of a body that differ from those of the first, and whether they are all of it."""
    if body is None:
        return None, True
    if first is None or first.keys() - body.keys():
        return body, True
    differing = {name: value for name, value in body.items() if name not in first or first[name] != value}
    # Places of APIs that count pages mean something with the same limit alone.
    return differing | {name: body[name] for name in (LIMIT,) if name in body}, False
