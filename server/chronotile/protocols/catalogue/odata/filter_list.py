"""Bodies of `OData.CSC.FilterList`: names and ids of products."""

from uuid import UUID

import orjson

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, require_at_most

MAX_BYTES = 1_048_576
MAX_LISTED = 1_000
LOCATOR = "FilterProducts"
EXAMPLE = {"FilterProducts": [{"Name": "S2A_31UFS_20200601"}]}


def listed_products(body: bytes) -> tuple[tuple[str, ...], tuple[UUID, ...]]:
    """Return the names and the ids of products in a body.

    Raises:
        InvalidParameter: The body does not have the form of `EXAMPLE`.
        LimitExceeded: It lists more than `MAX_LISTED` products.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _unreadable("is not JSON") from error
    listed = document.get(LOCATOR) if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise _unreadable(f"has no list {LOCATOR}")
    require_at_most(LOCATOR, len(listed), MAX_LISTED, alternative="send several lists", locator=LOCATOR)
    pairs = [pair for entry in listed for pair in _parse_entry(entry)]
    names = dict.fromkeys(value for key, value in pairs if key == "Name")
    products = dict.fromkeys(_uuid(value) for key, value in pairs if key == "Id")
    return tuple(names), tuple(products)


def _parse_entry(entry: object) -> list[tuple[str, str]]:
    pairs = list(entry.items()) if isinstance(entry, dict) else []
    if len(pairs) != 1 or pairs[0][0] not in {"Name", "Id"} or not isinstance(pairs[0][1], str):
        raise _unreadable(f"lists {str(entry)[:MAX_SHOWN]}, which is not an object with one Name or one Id")
    return pairs


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _unreadable(f"lists the Id {text[:MAX_SHOWN]!r}, which is not a UUID") from error


def _unreadable(why: str) -> InvalidParameter:
    return InvalidParameter(f"the body {why}; accepted: {orjson.dumps(EXAMPLE).decode()}", locator=LOCATOR)
