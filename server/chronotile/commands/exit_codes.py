"""How a command fails: in one line a reason, never with a traceback, where something foreseen goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from chronotile.errors import LOG_SAYS_WHY, ChronotileError, ConfigurationError


@contextmanager
def exiting_in_one_line() -> Iterator[None]:
    """End with 1 and the reason, one line a mistake, where something foreseen goes wrong."""
    try:
        yield
    except ConfigurationError as error:
        fail(*error.mistakes)
    except ChronotileError as error:
        # A command logs to standard error, where these lines go too.
        fail(error.message.replace(LOG_SAYS_WHY, "see the messages above"))


def fail(*reasons: str) -> NoReturn:
    """End with 1 and the reasons, one line each."""
    for reason in reasons:
        typer.echo(f"chronotile: {reason}", err=True)
    raise typer.Exit(1)
