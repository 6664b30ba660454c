"""`chronotile serve STAC`: a configuration of a STAC catalogue that is named by its address alone."""

import json
import os
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from chronotile.cli.opening import fail, print_lines

if TYPE_CHECKING:
    from chronotile.app.settings import Settings
    from chronotile.archive.discovery.catalogue import SeenCatalogue
    from chronotile.archive.index.documents import Documents
    from chronotile.core.model.types import JsonMapping

INDEXING_S = 30.0
"""How long the index is filled before the server starts; what is there by then is served at once."""


def is_catalogue(place: str) -> bool:
    """Return whether a place is looked at as a STAC catalogue: any URL, and JSON that references no data."""
    scheme, separator, _rest = place.partition("://")
    if separator and scheme != "file":
        return True
    if not place.lower().endswith((".json", ".geojson")):
        return False
    from chronotile.readers.kinds import kind_of_path  # which takes libraries that take seconds

    return kind_of_path(Path(place.removeprefix("file://"))) is None


def published_catalogue(place: str) -> str | None:
    """Return the catalogue of a folder that `chronotile publish` has written, if its items hold the data.

    Of one whose data are a cube or files of many times, these are what is served, as of any folder.
    """
    from chronotile.archive.publish.documents import FORM, ITEMS

    file = Path(place) / "catalog.json"
    try:
        found = json.loads(file.read_bytes()) if file.is_file() else None
    except (OSError, ValueError):
        return None
    return str(file) if isinstance(found, dict) and found.get(FORM) == ITEMS else None


def settings_of_catalogue(place: str, settings: "Settings") -> "Settings":
    """Return the settings that serve a catalogue: its configuration is written and its items are indexed.

    Prints where the files of its items lie, and which of these places are allowed.

    Args:
        place: Its path or URL.
        settings: How this process runs.

    Raises:
        ConfigurationError: It cannot be read, is not a catalogue, has no items, or several collections; or a prefix is
            not valid.
    """
    from chronotile.app.process_setup import end_well_when_stopped
    from chronotile.archive.discovery.catalogue import hosts_of, look_at
    from chronotile.archive.index.documents import Documents
    from chronotile.core.logs import configure_logging
    from chronotile.core.web.item_places import SETTING
    from chronotile.core.web.places import AllowedPlaces
    from chronotile.readers.hrefs import shown_href

    configure_logging(settings.log_level, settings.log_format)
    end_well_when_stopped()
    prefixes = AllowedPlaces(settings.source_places, setting=SETTING)
    documents = Documents()
    seen = look_at(place, lambda href: _body(documents, href), prefixes)
    hosts = hosts_of(seen, prefixes)
    print_lines(
        [
            f"catalogue     {shown_href(seen.href)}",
            *(f"left out      {line}" for line in seen.left_out),
            *(host.line for host in hosts),
        ]
    )
    if hosts and not any(host.is_allowed for host in hosts):
        options = " ".join(f"--allow {host.prefix}" for host in hosts)
        fail(f"the files of its items lie where nothing is allowed to be read; add {options}")
    file = _write_configuration(seen, settings.catalogues_folder)
    print_lines([f"configuration {file}"])
    settings = settings.model_copy(update={"config": file})
    _index_for_a_while(settings)
    return settings


def _index_for_a_while(settings: "Settings") -> None:
    """Bring the index up to date for at most `INDEXING_S` seconds; the server continues what was not finished."""
    from chronotile.app.configured_archive import index_store, source_access
    from chronotile.archive.index.fill import Interrupted, fill
    from chronotile.archive.index.sources import indexed, source_of, specs_of_items
    from chronotile.cli.index import counting, summary_lines
    from chronotile.core.errors import ConfigurationError, SourceUnavailable, UnsupportedSource

    begun_s = monotonic()
    (spec,) = specs_of_items(settings.config, environment=os.environ)
    with closing(index_store(settings)) as store, counting(f"indexing {spec.collection}", "entries") as progress:
        try:
            summary = fill(
                indexed(spec),
                source_of(spec, source_access(settings)),
                store,
                is_whole=False,
                progress=progress,
                is_stopped=lambda: monotonic() - begun_s > INDEXING_S,
            )
        except Interrupted:
            print_lines([f"indexing      continues while the server runs; {INDEXING_S:g} s are over"])
        except (ConfigurationError, SourceUnavailable, UnsupportedSource) as error:
            print_lines([f"indexing      failed, the server tries again: {error.message}"])
        else:
            print_lines(summary_lines(summary, monotonic() - begun_s))


def _body(documents: "Documents", href: str) -> "JsonMapping":
    """The document at a path or URL.

    Raises:
        ConfigurationError: It cannot be read; the message names it.
    """
    from chronotile.archive.index.documents import required
    from chronotile.core.errors import ChronotileError, ConfigurationError
    from chronotile.readers.hrefs import shown_href

    try:
        return required(documents.read(href)).body
    except ChronotileError as error:
        reason = error.message.removeprefix(f"{shown_href(href)} ")
        raise ConfigurationError([f"{shown_href(href)}: {reason}"]) from error


def _write_configuration(seen: "SeenCatalogue", folder: Path) -> Path:
    """The configuration of a catalogue in a file that is the same each time."""
    from chronotile.core.durable_files import Disk
    from chronotile.core.yaml_source import write_yaml
    from chronotile.readers.stac.collection import metadata_of
    from chronotile.readers.stac.drafts import draft_of

    metadata = metadata_of(seen.collection, [item.document for item in seen.items])
    section = draft_of(metadata, seen.href, {}).section
    values = {
        "service": {"title": metadata.title or metadata.id},
        # Everything else is completed from the metadata whenever it is opened.
        "collections": {metadata.id: {key: section[key] for key in ("source", "time", "mosaic") if key in section}},
    }
    own = folder / f"{metadata.id}-{blake2b(seen.href.encode(), digest_size=5).hexdigest()}"
    file = own / "chronotile.yaml"
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)  # the address may have a signature
        text = f"# Made by chronotile serve; copy it to change it.\n{write_yaml(values)}"
        disk = Disk()
        disk.put(file, text.encode())
        disk.settle([own])
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    return file
