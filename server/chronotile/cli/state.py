"""`chronotile migrate`, `backup` and `restore`: for jobs, index, keys and other stored state of an archive."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chronotile.cli.jobs import ArchiveArgument
from chronotile.cli.opening import exiting_in_one_line, fail, print_lines
from chronotile.cli.stored import open_place, state_place
from chronotile.core.errors import ConfigurationError, SourceUnavailable

if TYPE_CHECKING:
    from chronotile.app.settings import Settings


def migrate(
    place: ArchiveArgument = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the steps.")] = False,
) -> None:
    """Upgrade stored jobs, index and keys of an older release to this release."""
    with exiting_in_one_line():
        from chronotile.app.stored.state import migrate as migrate_all

        _settings, target = open_place(place)
        print_lines(migrate_all(target, is_dry_run=dry_run))


def backup(
    place: ArchiveArgument = None,
    *,
    to: Annotated[Path, typer.Option(metavar="FOLDER|FILE", help="Target: a new file, or a folder.")],
) -> None:
    """Write jobs, results, index, keys and configuration into one file, also while the archive is served."""
    with exiting_in_one_line():
        from chronotile.app.stored.backup import back_up

        settings, source = open_place(place)
        has_bucket = settings.jobs_results_url is not None
        try:
            lines = back_up(source, to.absolute(), configuration=settings.config, has_bucket=has_bucket)
        except OSError as error:
            fail(f"the backup cannot be written: {error}")
        print_lines(lines)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", show_default=False)],
    place: ArchiveArgument = None,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Replace existing jobs, index and keys.")] = False,
) -> None:
    """Restore jobs, results, index and keys from a backup, while no server or worker runs."""
    with exiting_in_one_line():
        from chronotile.app.stored.restore import restore as restore_all
        from chronotile.app.stored.state import migrate as migrate_all

        _settings, target = open_place(place)
        try:
            manifest = restore_all(target, file, is_replacing=replace)
        except OSError as error:
            fail(f"the backup cannot be restored: {error}")
        print_lines([f"restored the archive {manifest.archive} as it was at {manifest.created}"])
        print_lines(migrate_all(target, is_dry_run=False))


def require_known_state(settings: "Settings") -> None:
    """Check that the stored state is not from a newer release, and that no restore was interrupted.

    Raises:
        ConfigurationError: The state is from a newer release, or incompletely restored.
    """
    try:
        place = state_place(settings)
    except ConfigurationError:  # reported with all mistakes when the configuration is opened
        return
    if place.url is not None or place.folder.exists():
        from chronotile.app.stored.state import stored_versions

        with suppress(SourceUnavailable):  # users of the database report it later, and retry
            stored_versions(place)
