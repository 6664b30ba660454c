"""`chronotile keys`: creates, lists and revokes API keys."""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chronotile.cli.jobs import ArchiveArgument
from chronotile.cli.opening import exiting_in_one_line, print_lines
from chronotile.cli.stored import open_place, require_state
from chronotile.core.model.access import RIGHTS

if TYPE_CHECKING:
    from chronotile.access.keys import Keys

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@/-]{0,199}")

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Create, list and revoke API keys of an archive.")

KeyArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the key, as rules have it: key:NAME.")]


@app.command()
def create(
    name: KeyArgument,
    place: ArchiveArgument = None,
    *,
    group: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A group that it belongs to; repeat.")] = None,
    right: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(RIGHTS), help="A right of the key; repeat; default: all rights."),
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, max=3660, help="Days until it expires.")] = 365,
) -> None:
    """Create a key and print it: it is shown this once."""
    unfit = next((text for text in (name, *(group or ())) if not NAME.fullmatch(text)), None)
    if unfit is not None:
        raise typer.BadParameter(f"{unfit[:80]!r} is not a name; accepted are letters, digits and _ . @ / -")
    wrong = next((text for text in right or () if text not in RIGHTS), None)
    if wrong is not None:
        raise typer.BadParameter(f"{wrong[:80]!r} is not one of {', '.join(RIGHTS)}", param_hint="--right")
    with exiting_in_one_line(), _keys(place, is_new_accepted=True) as keys:
        print_lines([keys.create(name, groups=group or (), rights=right, days=days)])


@app.command("list")
def list_(place: ArchiveArgument = None) -> None:
    """List the keys: names, groups, rights, when they expire or were revoked."""
    with exiting_in_one_line(), _keys(place, empty=()) as keys:
        from chronotile.access.usage import day_of

        for key in keys.list_keys():
            ends = f"{'expires' if key.expires > time.time() else 'expired'} {day_of(key.expires)}"
            state = ends if key.revoked is None else f"revoked {day_of(key.revoked)}"
            groups, rights = ",".join(key.groups) or "-", "all" if key.rights is None else ",".join(key.rights)
            print_lines([f"{key.name}  groups={groups}  rights={rights}  {state}"])


@app.command()
def revoke(name: KeyArgument, place: ArchiveArgument = None) -> None:
    """End a key: servers accept it for ten more seconds at most."""
    with exiting_in_one_line(), _keys(place) as keys:
        keys.revoke(name)
        print_lines([f"the key {name} was revoked"])


@contextmanager
def _keys(place: Path | None, *, is_new_accepted: bool = False, empty: Iterable[str] | None = None) -> Iterator["Keys"]:
    from chronotile.access.keys import open_keys

    _settings, state = open_place(place)
    if not is_new_accepted:
        require_state(state, "keys", empty=empty)
    with closing(open_keys(state.url, state.folder, archive=state.archive)) as keys:
        yield keys
