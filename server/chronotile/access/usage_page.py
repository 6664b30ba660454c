"""Usage report at `/usage` for operators: a page with plots, CSV or JSON."""

import base64
import csv
import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from html import escape
from typing import Any, cast
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.access.accounts import Accounts
from chronotile.access.usage import BY, COUNTS, By
from chronotile.core.errors import InvalidParameter, UnknownPath
from chronotile.http.endpoint import endpoint
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.pipeline.encoders.series.csv import safe_cell

UsageRows = Sequence[Mapping[str, Any]]
MEDIA_TYPES = {"html": "text/html", "csv": "text/csv", "json": "application/json"}
PARAMETERS = ("from", "to", "by", "f")
DEFAULT_DAYS = 30
MAX_BARS = 60
BAR, LONGEST, LETTER, NUMBER = 18, 320, 7.5, 100
"""Sizes of plots in pixels: height and maximum length of a bar, width of a letter, room for a number."""
STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em;max-width:72em}svg{display:block;max-width:100%}"
    "table{border-collapse:collapse}td,th{padding:.1em .8em;text-align:left;border-bottom:1px solid #ddd}"
    "rect{fill:#27708b}text{font-size:12px}a{margin-right:.6em}"
)
POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def usage_route(accounts: Accounts) -> Route:
    """Return the route of the report."""
    return Route("/usage", endpoint(partial(_get_usage, accounts), problem_response))


async def _get_usage(accounts: Accounts, request: Request) -> Response:
    if services_of(request).origin.catalogue.access is None:
        raise UnknownPath("there is nothing at '/usage'")
    query = request.query_params
    for name in query:
        require_one("parameter", name, PARAMETERS)
    format_ = query.get("f", "html")
    require_one("f", format_, MEDIA_TYPES)
    first, last = parse_days(query.get("from"), query.get("to"))
    by = parse_by([name for value in query.getlist("by") for name in value.split(",")] or ["day"])
    rows = await accounts.report(first, last, by)
    if format_ == "html":
        body = _page(rows, by, first, last).encode()
    else:
        table = {"from": first, "to": last, "by": by, "rows": rows}
        body = orjson.dumps(table) if format_ == "json" else write_csv(rows, by).encode()
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    return Response(body, media_type=MEDIA_TYPES[format_], headers=headers)


def parse_days(first: str | None, last: str | None) -> tuple[date, date]:
    """Return the first and the last day of a report; by default the last `DEFAULT_DAYS` days.

    Raises:
        InvalidParameter: A value is not a date.
    """
    try:
        end = datetime.now(UTC).date() if last is None else date.fromisoformat(last)
        return end - timedelta(days=DEFAULT_DAYS - 1) if first is None else date.fromisoformat(first), end
    except (ValueError, OverflowError) as error:
        values = f"from={first or ''!r:.40} and to={last or ''!r:.40}"
        raise InvalidParameter(f"{values} are not two days such as 2026-01-31", locator="from") from error


def parse_by(names: Collection[str]) -> tuple[By, ...]:
    """Return the columns for grouping, without duplicates.

    Raises:
        InvalidParameter: A column is unknown.
    """
    for name in names:
        require_one("by", name, BY)
    return cast("tuple[By, ...]", tuple(dict.fromkeys(names)))


def require_one(name: str, value: str, accepted: Collection[str]) -> None:
    """Require that the value of a parameter is accepted.

    Raises:
        InvalidParameter: The value is not accepted.
    """
    if value not in accepted:
        raise InvalidParameter(
            f"{name}: {value[:60]!r} is not accepted; accepted are {', '.join(accepted)}", locator=name
        )


def write_csv(rows: UsageRows, by: Collection[By]) -> str:
    """Return rows as CSV (RFC 4180); names that look like formulas are marked as text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[*by, *COUNTS])
    writer.writeheader()
    for row in rows:
        writer.writerow({name: safe_cell(str(value)) for name, value in row.items()})
    return text.getvalue()


def _page(rows: UsageRows, by: Collection[By], first: date, last: date) -> str:
    days = {"from": first.isoformat(), "to": last.isoformat()}
    links: list[tuple[str, dict[str, str]]] = [(name, {**days, "by": name}) for name in BY]
    links += [(name.upper(), {**days, "by": ",".join(by), "f": name}) for name in ("csv", "json")]
    # Relative links: the page may have any prefix.
    navigation = "".join(f'<a href="?{escape(urlencode(query))}">{escape(name)}</a>' for name, query in links)
    names = [*by, *COUNTS]
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = "".join("<tr>" + "".join(f"<td>{escape(str(row[name]))}</td>" for name in names) + "</tr>" for row in rows)
    plots = "".join(_plot(rows, by, count) for count in COUNTS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Usage</title><style>{STYLE}</style>'
        f"<h1>Usage from {first} to {last}</h1><p>{navigation}</p>{plots}<h2>Numbers</h2>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></html>"
    )


def _plot(rows: UsageRows, by: Collection[By], count: str) -> str:
    """Return an SVG with one bar per row: the newest days or months in order, or else the largest values."""
    is_time = set(by) <= {"day", "month"}
    bars = list(rows)[-MAX_BARS:] if is_time else sorted(rows, key=lambda row: -row[count])[:MAX_BARS]
    largest = max((row[count] for row in bars), default=0) or 1
    names = [" ".join(str(row[column]) or "-" for column in by)[:64] for row in bars]
    label_width = LETTER * max(map(len, names), default=0) + 8
    parts = list[str]()
    for number, (row, name) in enumerate(zip(bars, names, strict=True)):
        y, length = number * BAR, row[count] / largest * LONGEST
        parts.append(
            f'<text x="0" y="{y + 13}">{escape(name)}</text><rect x="{label_width}" y="{y + 2}" width="{length:.1f}" '
            f'height="{BAR - 4}"/><text x="{label_width + length + 6:.1f}" y="{y + 13}">{row[count]:,}</text>'
        )
    width = label_width + LONGEST + NUMBER
    height = max(1, len(bars)) * BAR
    return (
        f'<h2>{escape(count)}</h2><svg role="img" aria-label="{escape(count)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
    )
