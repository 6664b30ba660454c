"""Location of the stored state of an archive: jobs, keys and counters."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from chronotile.cli.opening import print_lines
from chronotile.core.errors import ConfigurationError

if TYPE_CHECKING:
    from chronotile.app.settings import Settings
    from chronotile.app.stored.state import StateLocation, StoredName


def state_place(settings: "Settings") -> "StateLocation":
    """Return the location of the state that the environment and the configuration name.

    Raises:
        ConfigurationError: The configuration is missing or not valid YAML.
    """
    from chronotile.app.stored.state import StateLocation
    from chronotile.archive.archive_ids import archive_id_at

    archive = archive_id_at(settings.config, environment=os.environ)
    return StateLocation(archive=archive, folder=settings.jobs_folder(archive).absolute(), url=settings.database_url)


def report_place(place: "StateLocation", settings: "Settings") -> None:
    """Print the archive and the database of a command to standard error."""
    typer.echo(f"archive {place.archive} ({settings.config}), state in {describe_database(place)}", err=True)


def open_place(configuration: Path | None) -> tuple["Settings", "StateLocation"]:
    """Return the settings of a command and the state it works on, and report it as `report_place` does.

    Raises:
        ConfigurationError: The configuration is missing or not valid YAML, or a setting is not accepted.
    """
    from chronotile.app.settings import load_settings

    settings = load_settings(config=configuration)
    place = state_place(settings)
    report_place(place, settings)
    return settings, place


def describe_database(place: "StateLocation") -> str:
    """Return the database in words, without its password."""
    if place.url is None:
        return f"SQLite in {place.folder}"
    from sqlalchemy import make_url

    url = make_url(place.url)
    return f"the database {url.database} of PostgreSQL at {url.host or 'the local socket'}"


def require_state(place: "StateLocation", name: "StoredName", *, empty: Iterable[str] | None = None) -> None:
    """End a command that reads tables which do not exist, so that it does not create empty ones.

    Args:
        place: Location of the tables.
        name: Name of the tables.
        empty: Lines of a list without entries; with them, missing tables are a note and no error.

    Raises:
        ConfigurationError: The tables do not exist, and `empty` is missing.
        Exit: The tables do not exist, and `empty` was printed.
        SourceUnavailable: The database does not answer.
    """
    from chronotile.app.stored.state import has_tables

    if has_tables(place, name):
        return
    message = (
        f"the archive {place.archive} has no {name} in {describe_database(place)}; if a service serves it, run the "
        "command with the user and the environment of the service (deploy/systemd/chronotile-admin)"
    )
    if empty is None:
        raise ConfigurationError([message])
    typer.echo(f"nothing is recorded yet: {message}", err=True)
    print_lines(empty)
    raise typer.Exit
