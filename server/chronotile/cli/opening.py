"""Settings, opening of archives and printing, for all commands that open an archive."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from chronotile.core.errors import LOG_SAYS_WHY, ChronotileError, ConfigurationError
from chronotile.core.printable import printable

if TYPE_CHECKING:
    from chronotile.app.settings import LogLevel, Settings
    from chronotile.archive.open import Archive
    from chronotile.core.finding import Finding


def settings_of(**options: object) -> "Settings":
    """Return the settings from the environment and the options of a command.

    Raises:
        ConfigurationError: A value is not accepted, or the configuration is a STAC catalogue.
    """
    from chronotile.app.settings import load_settings
    from chronotile.core.errors import ConfigurationError

    place = options.get("config")
    if isinstance(place, str) and is_catalogue(place):
        regions = "" if "://" in place else "; a file of regions belongs under places of a configuration"
        raise ConfigurationError(
            [
                f"{place} is not a configuration: for a STAC catalogue, chronotile serve {place} writes one and prints "
                f"its path; name that path here{regions}"
            ]
        )
    return load_settings(**options)


def is_catalogue(place: str) -> bool:
    """Return whether a path or URL is treated as a STAC catalogue: any URL, and JSON that no reader of data opens."""
    scheme, separator, _rest = place.partition("://")
    if separator and scheme != "file":
        return True
    if not place.lower().endswith((".json", ".geojson")):
        return False
    from chronotile.readers.kinds import kind_of_path  # its libraries take seconds to import

    return kind_of_path(Path(place.removeprefix("file://"))) is None


def open_archive(settings: "Settings", log_level: "LogLevel | None" = None, *, is_server: bool = False) -> "Archive":
    """Return the archive; a server waits only briefly for remote sources."""
    from chronotile.app.configured_archive import open_configured
    from chronotile.core.logs import configure_logging
    from chronotile.readers.elsewhere import OPENING_S, START_S

    configure_logging(log_level or settings.log_level, settings.log_format)
    with progress_bar("inspecting the data") as progress:
        patience_s = START_S if is_server else OPENING_S
        return open_configured(settings, progress=progress, patience_s=patience_s, has_previews=is_server)


def index_findings(settings: "Settings", archive: "Archive") -> "tuple[Finding, ...]":
    """Read the whole item index and return its faults; empty without collections of items."""
    from chronotile.app.configured_archive import item_index

    if all(spec.items is None for spec in archive.specs.values()):
        return ()
    with closing(item_index(settings)) as index:
        return index.check()


def close_archive(archive: "Archive") -> None:
    """Close the sources of an archive, and its item index if it has collections of items."""
    from chronotile.pipeline.search.search_items import items_of

    archive.close()
    if any(spec.items is not None for spec in archive.specs.values()):
        items_of(archive.services).close()


def subscriber_findings(settings: "Settings", archive: "Archive") -> "tuple[Finding, ...]":
    """Return findings about webhooks of the configuration that get no events.

    Raises:
        ConfigurationError: An allowed prefix is not valid.
    """
    from chronotile.core.web.places import web_places
    from chronotile.jobs.queue.webhooks.allowed import SUBSCRIBER_SETTING, webhook_findings

    places = web_places(settings.subscriber_places, setting=SUBSCRIBER_SETTING)
    return tuple(webhook_findings(archive.services.catalogue.service, places))


@contextmanager
def progress_bar(what: str, *, has_lines: bool = False) -> Iterator[Callable[[str, float], None]]:
    """Yield a function that takes the current step and the fraction done, and shows a progress bar in a terminal.

    If the output is not a terminal, it prints lines if `has_lines`, else nothing.
    """
    if not sys.stderr.isatty():
        yield _step_lines(what) if has_lines else lambda _step, _share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda step, share: bar.update(task, completed=share, description=f"{what}: {step}")


def _step_lines(what: str) -> Callable[[str, float], None]:
    """Return a function that prints a line per step and per fifth of the work."""
    printed = set[tuple[str, int]]()

    def report(step: str, share: float) -> None:
        done = step, int(share * 5 + 1e-9)
        if done not in printed:
            printed.add(done)
            print_lines([f"{what}: {step}, {share:.0%}"])

    return report


def print_lines(lines: Iterable[str]) -> None:
    """Print lines without buffering them."""
    for line in lines:
        typer.echo(line)
    sys.stdout.flush()


@contextmanager
def exiting_in_one_line() -> Iterator[None]:
    """Exit with status 1 on expected errors, printing one line per mistake."""
    try:
        yield
    except ConfigurationError as error:
        fail(*error.mistakes)
    except ChronotileError as error:
        # Commands log to standard error, and these lines are printed there too.
        fail(error.message.replace(LOG_SAYS_WHY, "see the messages above"))


def fail(*reasons: str) -> NoReturn:
    """Print reasons to standard error, one line each, and exit with status 1."""
    for reason in reasons:
        typer.echo(f"chronotile: {printable(reason)}", err=True)
    raise typer.Exit(1)
