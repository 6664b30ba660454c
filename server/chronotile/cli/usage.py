"""`chronotile usage`: prints the usage of an archive by users, layers and days."""

from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chronotile.cli.jobs import ArchiveArgument, columns
from chronotile.cli.opening import exiting_in_one_line, print_lines
from chronotile.cli.stored import open_place, require_state

if TYPE_CHECKING:
    from chronotile.access.usage import By
    from chronotile.access.usage_page import UsageRows


class Format(StrEnum):
    """Formats of a report."""

    TABLE = "table"
    CSV = "csv"


def usage(
    place: ArchiveArgument = None,
    *,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day (UTC); default: 29 days before the last.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day (UTC); default: today.")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="user|organisation|layer|protocol|class|day|month", help="Column to group by; repeat."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Print requests, bytes, products and processor seconds of an archive with access rules."""
    with exiting_in_one_line():
        from chronotile.access.accounts import Ledger
        from chronotile.access.usage_page import parse_by, parse_days

        names = parse_by(by or ["day"])
        first, last = parse_days(from_, to)
        _settings, state = open_place(place)
        require_state(state, "usage", empty=_lines([], names, format_))
        with closing(Ledger(state.url, state.folder, archive=state.archive)) as ledger:
            rows = ledger.usage.report(first, last, names)
        print_lines(_lines(rows, names, format_))


def _lines(rows: "UsageRows", names: "tuple[By, ...]", format_: Format) -> list[str]:
    from chronotile.access.usage import COUNTS
    from chronotile.access.usage_page import write_csv

    if format_ is Format.CSV:
        return write_csv(rows, names).splitlines()
    return columns([[*names, *COUNTS], *([str(value) or "-" for value in row.values()] for row in rows)])
