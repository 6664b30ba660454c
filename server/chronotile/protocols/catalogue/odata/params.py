"""Query options and paths of OData as queries (OData 4.01 URL conventions §5.1)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from uuid import UUID

import orjson

from chronotile.core.errors import (
    MAX_SHOWN,
    InvalidParameter,
    NotAcceptable,
    UnknownItem,
    UnknownParameter,
    require_at_most,
)
from chronotile.protocols.catalogue.odata.attributes import PROPERTIES
from chronotile.protocols.catalogue.odata.documents import EXPANDED, MEMBERS
from chronotile.protocols.catalogue.odata.parser import FILTER, FilterCondition, parse_filter
from chronotile.protocols.common.openapi import TEXT, TRUTH, WHOLE
from chronotile.protocols.common.query import values
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, custom

USUAL_TOP, MOST_TOP = 20, 1_000
MOST_SKIPPED = 10_000
MOST_ORDERED = 4
ORDERBY, SKIPTOKEN, NEXT_LINK = "$orderby", "$skiptoken", "@odata.nextLink"
ORDERED = tuple(name for name, known in PROPERTIES.items() if known.is_sorted)
TRUTHS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}
FORMATS = ("json", "application/json")
_GUID = re.compile(r"'?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'?", re.IGNORECASE)


def _number_up_to(name: str, description: str, allowed: int, *, default: int, alternative: str) -> Parameter[int]:
    def parse(text: str) -> int:
        value = values.integer(text, locator=name, least=0)
        require_at_most(name, value, allowed, alternative=alternative, locator=name)
        return value

    schema = {**WHOLE, "minimum": 0, "maximum": allowed}
    return custom(name, description, parse, schema=schema, default=default)


def _sort(text: str) -> tuple[tuple[str, bool], ...]:
    return tuple(pair for part in text.split(",", MOST_ORDERED) for pair in _sort_keys(part))


def _sort_keys(part: str) -> Iterable[tuple[str, bool]]:
    name, *direction = part.split()[:3] or [""]
    direction = [each.lower() for each in direction]
    if name not in ORDERED or direction not in ([], ["asc"], ["desc"]):
        accepted = f"{', '.join(ORDERED)}, each with asc or desc; at most {MOST_ORDERED}"
        raise InvalidParameter(f"{ORDERBY} has {part.strip()[:MAX_SHOWN]!r}; accepted: {accepted}", locator=ORDERBY)
    known = PROPERTIES[name]
    return ((property_, direction == ["desc"]) for property_ in known.order or known.properties)


def _names(option: str, text: str, accepted: Iterable[str]) -> tuple[str, ...]:
    known = tuple(accepted)
    names = (part.strip() for part in text.split(",", len(known)))
    return tuple(dict.fromkeys(values.choice(name, known, locator=option) for name in names))


FILTERED: Parameter[FilterCondition] = custom(
    FILTER, "Condition, e.g. `Collection/Name eq 's2' and ContentDate/Start gt 2024-05-01T00:00:00.000Z`", parse_filter
)
ORDER = custom(ORDERBY, f"`{'`, `'.join(ORDERED)}`, with `asc` or `desc`; default: the newest first", _sort)
TOP = _number_up_to(
    "$top", "Products of a page", MOST_TOP, default=USUAL_TOP, alternative=f"follow {NEXT_LINK} for more"
)
SKIP = _number_up_to(
    "$skip",
    "Products to leave out",
    MOST_SKIPPED,
    default=0,
    alternative=f"follow {NEXT_LINK}, which goes on without such a limit",
)
COUNT = replace(
    code("$count", "Whether to count all that match; refused beyond 10,000", TRUTHS), schema=TRUTH, default=False
)
EXPAND = custom(
    "$expand", f"`{'`, `'.join(EXPANDED)}`", lambda text: _names("$expand", text, EXPANDED), default=tuple[str, ...]()
)
SELECT = custom(
    "$select",
    "Members of products, separated by commas",
    lambda text: () if text.strip() == "*" else _names("$select", text, MEMBERS),
    default=tuple[str, ...](),
)
TOKEN = custom(SKIPTOKEN, f"Where the page begins, as `{NEXT_LINK}` has it", str, schema=TEXT)
OPTIONS = (FILTERED, ORDER, TOP, SKIP, COUNT, EXPAND, SELECT, TOKEN)
OF_ONE = (EXPAND, SELECT)
FORMAT = "$format"


@dataclass(frozen=True, slots=True, kw_only=True)
class ODataQuery:
    """A query of products."""

    condition: FilterCondition | None = None
    sort: tuple[tuple[str, bool], ...] = ()
    """Properties of items, and whether descending; empty: the newest first."""
    top: int = USUAL_TOP
    skip: int = 0
    """Products before the page; with a token it is known where that begins."""
    is_counted: bool = False
    expand: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    """Empty: all members."""
    token: str | None = None
    """Cursor of the page."""
    written: tuple[tuple[str, str], ...] = ()
    """The options that the next page has too."""

    def next_query(self, token: str, count: int) -> str:
        """Return the query of the page after one of so many products.

        It has `$skip` too, as long as that is accepted, and all percent-encoded as CDSE does: eodag wants both.
        """
        skipped = self.skip + count
        skip = [(SKIP.name, str(skipped))] if skipped <= MOST_SKIPPED else []
        return urlencode([*self.written, *skip, (SKIPTOKEN, token)])


def options_of(pairs: Iterable[tuple[str, str]]) -> Kvp:
    """Return the options of a query, by names with $, which clients may leave out (OData 4.01 §5.1).

    Raises:
        InvalidParameter: One is repeated with another value, or is not known.
        NotAcceptable: Another format than JSON is requested.
    """
    known = {each.name for each in OPTIONS} | {FORMAT}
    named = [(f"${name.removeprefix('$')}".lower(), name, value) for name, value in pairs]
    expanded = ",".join(value for option, _, value in named if option == EXPAND.name and value)
    given = [(option, value) for option, _, value in named if option in known and option != EXPAND.name]
    for option, name, _ in named:
        if name.startswith("$") and option not in known:
            message = f"{name[:MAX_SHOWN]} is not a parameter here; accepted: {', '.join(sorted(known))}"
            raise UnknownParameter(message, locator=name[:MAX_SHOWN])
    options = Kvp([*given, (EXPAND.name, expanded)])
    wanted = options.optional(FORMAT)
    if wanted is not None and wanted.partition(";")[0].strip().lower() not in FORMATS:
        raise NotAcceptable(f"{FORMAT} {wanted[:MAX_SHOWN]!r} is not offered; accepted: json", locator=FORMAT)
    return options


def product_query(options: Kvp) -> ODataQuery:
    """Return the query of products.

    Raises:
        InvalidParameter: An option is not accepted.
        LimitExceeded: It requests too much.
    """
    return ODataQuery(
        condition=FILTERED.optional(options),
        sort=ORDER.optional(options) or (),
        top=TOP.value(options),
        skip=SKIP.value(options),
        is_counted=COUNT.value(options),
        expand=EXPAND.value(options),
        select=SELECT.value(options),
        token=TOKEN.optional(options),
        written=options.select(each.name for each in OPTIONS if each.name not in {SKIP.name, TOKEN.name}),
    )


def product_id_of(text: str) -> UUID:
    """Return the id within the brackets of `Products(…)`, bare or in quotes.

    Raises:
        UnknownItem: It is none, so that there is no such product.
    """
    found = _GUID.fullmatch(text)
    if found is None:
        raise UnknownItem(f"there is no product {text[:MAX_SHOWN]!r}; an Id is a UUID")
    return UUID(found[1])


# The body of `OData.CSC.FilterList`: names and ids of products.

MOST_BYTES = 1_048_576
MOST_LISTED = 1_000
LOCATOR = "FilterProducts"
EXAMPLE = {"FilterProducts": [{"Name": "S2A_31UFS_20200601"}]}


def listed_products(body: bytes) -> tuple[tuple[str, ...], tuple[UUID, ...]]:
    """Return the names and the ids that a body lists.

    Raises:
        InvalidParameter: It is not of the form of `EXAMPLE`.
        LimitExceeded: It lists more than `MOST_LISTED`.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _unreadable("is not JSON") from error
    listed = document.get(LOCATOR) if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise _unreadable(f"has no list {LOCATOR}")
    require_at_most(LOCATOR, len(listed), MOST_LISTED, alternative="send several lists", locator=LOCATOR)
    pairs = [pair for each in listed for pair in _parse_entry(each)]
    names = dict.fromkeys(value for key, value in pairs if key == "Name")
    products = dict.fromkeys(_uuid(value) for key, value in pairs if key == "Id")
    return tuple(names), tuple(products)


def _parse_entry(entry: object) -> list[tuple[str, str]]:
    pairs = list(entry.items()) if isinstance(entry, dict) else []
    if len(pairs) != 1 or pairs[0][0] not in {"Name", "Id"} or not isinstance(pairs[0][1], str):
        raise _unreadable(f"lists {str(entry)[:MAX_SHOWN]}, which has neither a Name nor an Id alone")
    return pairs


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _unreadable(f"lists the Id {text[:MAX_SHOWN]!r}, which is not a UUID") from error


def _unreadable(why: str) -> InvalidParameter:
    return InvalidParameter(f"the body {why}; accepted: {orjson.dumps(EXAMPLE).decode()}", locator=LOCATOR)
