"""Query options and paths of OData requests (OData 4.01 URL conventions §5.1)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from uuid import UUID

from chronotile.core.errors import (
    MAX_SHOWN,
    InvalidParameter,
    NotAcceptable,
    UnknownItem,
    UnknownParameter,
    require_at_most,
)
from chronotile.protocols.catalogue.odata.attributes import PROPERTIES
from chronotile.protocols.catalogue.odata.conditions import ODataCondition
from chronotile.protocols.catalogue.odata.documents import EXPANDED, MEMBERS
from chronotile.protocols.catalogue.odata.parser import FILTER, parse_filter
from chronotile.protocols.common.openapi import TEXT, TRUTH, WHOLE
from chronotile.protocols.common.query import values
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, custom

USUAL_TOP, MAX_TOP = 20, 1_000
MAX_SKIPPED = 10_000
MAX_ORDERED = 4
ORDERBY, SKIPTOKEN, NEXT_LINK = "$orderby", "$skiptoken", "@odata.nextLink"
ORDERED = tuple(name for name, property_ in PROPERTIES.items() if property_.is_sorted)
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
    return tuple(pair for part in text.split(",", MAX_ORDERED) for pair in _sort_keys(part))


def _sort_keys(part: str) -> Iterable[tuple[str, bool]]:
    name, *direction = part.split()[:3] or [""]
    direction = [word.lower() for word in direction]
    if name not in ORDERED or direction not in ([], ["asc"], ["desc"]):
        accepted = f"{', '.join(ORDERED)}, each with asc or desc; at most {MAX_ORDERED}"
        raise InvalidParameter(f"{ORDERBY} has {part.strip()[:MAX_SHOWN]!r}; accepted: {accepted}", locator=ORDERBY)
    names = PROPERTIES[name].order or PROPERTIES[name].properties
    return ((property_, direction == ["desc"]) for property_ in names)


def _names(option: str, text: str, accepted: Iterable[str]) -> tuple[str, ...]:
    choices = tuple(accepted)
    names = (part.strip() for part in text.split(",", len(choices)))
    return tuple(dict.fromkeys(values.choice(name, choices, locator=option) for name in names))


FILTERED: Parameter[ODataCondition] = custom(
    FILTER, "Condition, e.g. `Collection/Name eq 's2' and ContentDate/Start gt 2024-05-01T00:00:00.000Z`", parse_filter
)
ORDER = custom(ORDERBY, f"`{'`, `'.join(ORDERED)}`, with `asc` or `desc`; default: the newest first", _sort)
TOP = _number_up_to(
    "$top", "Products of a page", MAX_TOP, default=USUAL_TOP, alternative=f"follow {NEXT_LINK} for more"
)
SKIP = _number_up_to(
    "$skip",
    "Number of products to skip",
    MAX_SKIPPED,
    default=0,
    alternative=f"follow {NEXT_LINK}, which has no such limit",
)
COUNT = replace(
    code("$count", "Whether to count all matches; refused beyond 10,000", TRUTHS), schema=TRUTH, default=False
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
TOKEN = custom(SKIPTOKEN, f"Start of the page, from `{NEXT_LINK}`", str, schema=TEXT)
OPTIONS = (FILTERED, ORDER, TOP, SKIP, COUNT, EXPAND, SELECT, TOKEN)
OF_ONE = (EXPAND, SELECT)
FORMAT = "$format"


@dataclass(frozen=True, slots=True, kw_only=True)
class ODataQuery:
    """A requested page of products."""

    condition: ODataCondition | None = None
    sort: tuple[tuple[str, bool], ...] = ()
    """Properties of items, and whether the order is descending; empty returns the newest first."""
    top: int = USUAL_TOP
    skip: int = 0
    """Number of products before the page. If a token is set, it only determines `$skip` of the next link."""
    is_counted: bool = False
    expand: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    """Empty returns all members."""
    token: str | None = None
    """Cursor of the page; `None` for the first page."""
    written: tuple[tuple[str, str], ...] = ()
    """Options that the next page repeats."""

    def next_query(self, token: str, count: int) -> str:
        """Return the query of the next page; `count` is the number of products of this page.

        eodag requires `$skip` and percent-encoding, as CDSE writes them; `$skip` is omitted beyond its limit.
        """
        skipped = self.skip + count
        skip = [(SKIP.name, str(skipped))] if skipped <= MAX_SKIPPED else []
        return urlencode([*self.written, *skip, (SKIPTOKEN, token)])


def options_of(pairs: Iterable[tuple[str, str]]) -> Kvp:
    """Return the options of a query; `$` is added to names without it (OData 4.01 §5.1).

    Raises:
        InvalidParameter: An option is repeated with another value, or is unknown.
        NotAcceptable: A format other than JSON is requested.
    """
    accepted = {option.name for option in OPTIONS} | {FORMAT}
    entries = [(f"${name.removeprefix('$')}".lower(), name, value) for name, value in pairs]
    expanded = ",".join(value for option, _, value in entries if option == EXPAND.name and value)
    single = [(option, value) for option, _, value in entries if option in accepted and option != EXPAND.name]
    for option, name, _ in entries:
        if name.startswith("$") and option not in accepted:
            message = f"{name[:MAX_SHOWN]} is not a parameter here; accepted: {', '.join(sorted(accepted))}"
            raise UnknownParameter(message, locator=name[:MAX_SHOWN])
    options = Kvp([*single, (EXPAND.name, expanded)])
    format_ = options.optional(FORMAT)
    if format_ is not None and format_.partition(";")[0].strip().lower() not in FORMATS:
        raise NotAcceptable(f"{FORMAT} {format_[:MAX_SHOWN]!r} is not offered; accepted: json", locator=FORMAT)
    return options


def product_query(options: Kvp) -> ODataQuery:
    """Return the query of products.

    Raises:
        InvalidParameter: An option is not accepted.
        LimitExceeded: A number, the filter or its geometries are too large.
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
        written=options.select(option.name for option in OPTIONS if option.name not in {SKIP.name, TOKEN.name}),
    )


def product_id_of(text: str) -> UUID:
    """Return the id in the brackets of `Products(…)`, with or without quotes.

    Raises:
        UnknownItem: The text is not a UUID, so no product has it.
    """
    match = _GUID.fullmatch(text)
    if match is None:
        raise UnknownItem(f"there is no product {text[:MAX_SHOWN]!r}; an Id is a UUID")
    return UUID(match[1])
