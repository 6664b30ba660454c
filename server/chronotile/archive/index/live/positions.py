"""Positions in the pages of an API as text for clients, and the URLs to which a position may lead.

Clients can forge these texts. URLs outside the API are refused, and items of forged positions are checked like all
items.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from chronotile.archive.index.apis import ApiSearch, Request
from chronotile.core.errors import AddressRefused, InvalidParameter
from chronotile.core.model.types import Json
from chronotile.core.web.item_places import split_query
from chronotile.core.web.places import AllowedPlaces, Outside

MAX_TEXT = 6_000
"""Length of a position; longer links do not work in all clients."""
MAX_SKIPPED = 100_000
MEMBERS = 4
LIMIT = "limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """The start of the next page of a search."""

    request: Request
    """A page of the API."""
    skipped: int = 0
    """Items at the beginning of the page that were returned before."""

    def text(self, first: Request, api: ApiSearch) -> str:
        """Return the position as text, without the root URL of the API and members that the first page has too.

        Raises:
            AddressRefused: It is too long.
        """
        members, is_whole = _difference(self.request.body, first.body)
        position = orjson.dumps([self.request.href.removeprefix(api.root), members, is_whole, self.skipped]).decode()
        if len(position) > MAX_TEXT:
            raise AddressRefused("its link to the next page is too long")
        return position


def place_of(text: str, first: Request, api: ApiSearch) -> PagePlace:
    """Return the position of a text.

    Args:
        text: From `PagePlace.text`.
        first: The first page of the search.
        api: The API to which the position has to lead.

    Raises:
        InvalidParameter: It is not a position of this search.
    """
    refused = InvalidParameter("cursor does not belong to a page of this search", locator="cursor")
    try:
        members_list: Any = orjson.loads(text) if len(text) <= MAX_TEXT else None
    except orjson.JSONDecodeError as error:
        raise refused from error
    if not (isinstance(members_list, list) and len(members_list) == MEMBERS):
        raise refused
    href, members, is_whole, skipped = members_list
    is_valid = (
        isinstance(href, str)
        and href[:1] in {"", "/", "?"}
        and isinstance(members, dict | None)
        and isinstance(is_whole, bool)
    )
    if not is_valid or type(skipped) is not int or not 0 <= skipped <= MAX_SKIPPED:
        raise refused
    body = None if members is None else members if is_whole else {**(first.body or {}), **members}
    try:
        return PagePlace(request=require_within(Request(href=api.root + href, body=body), api), skipped=skipped)
    except AddressRefused as error:
        raise refused from error


def require_within(request: Request, api: ApiSearch) -> Request:
    """Return a request with a normalised URL.

    Raises:
        AddressRefused: The URL is outside the API.
    """
    try:
        plain, query = split_query(request.href)
        return Request(href=AllowedPlaces([api.root]).find(plain) + query, body=request.body)
    except (Outside, ValueError, OSError) as error:
        raise AddressRefused("its link to the next page leads out of the API") from error


def _difference(body: Json | None, first: Json | None) -> tuple[Json | None, bool]:
    """Return the members of a body that differ from the first body, and whether these are the whole body."""
    if body is None:
        return None, True
    if first is None or first.keys() - body.keys():
        return body, True
    differing = {name: value for name, value in body.items() if name not in first or first[name] != value}
    # In APIs that count pages a position depends on the limit.
    return differing | {name: body[name] for name in (LIMIT,) if name in body}, False
