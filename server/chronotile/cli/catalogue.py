"""`chronotile serve STAC`: writes a configuration for a STAC catalogue that is named by its path or URL."""

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
    from chronotile.archive.index.documents import DocumentReader
    from chronotile.core.model.types import JsonMapping

INDEXING_S = 30.0
"""Time for filling the index before the server starts; the server then continues with a partly filled index."""


def published_catalogue(place: str) -> str | None:
    """Return the catalogue of a folder that `chronotile publish` has written, if the data are files of its items.

    Other published data, such as a cube, are served like any folder of data.
    """
    from chronotile.archive.publish.documents import FORM, ITEMS

    file = Path(place) / "catalog.json"
    try:
        document = json.loads(file.read_bytes()) if file.is_file() else None
    except (OSError, ValueError):
        return None
    return str(file) if isinstance(document, dict) and document.get(FORM) == ITEMS else None


def settings_of_catalogue(place: str, settings: "Settings") -> "Settings":
    """Return settings that serve a catalogue, after writing its configuration and indexing its items.

    Prints the hosts of the items' files, and whether these are allowed.

    Args:
        place: Path or URL of the catalogue.
        settings: Settings of this process.

    Raises:
        ConfigurationError: The catalogue cannot be read, is not a catalogue, has no items or has several collections;
            or a prefix is not valid.
    """
    from chronotile.app.process_setup import end_well_when_stopped
    from chronotile.archive.discovery.catalogue import hosts_of, look_at
    from chronotile.archive.index.documents import DocumentReader
    from chronotile.core.logs import configure_logging
    from chronotile.core.web.item_places import SOURCE_SETTING
    from chronotile.core.web.places import AllowedPlaces
    from chronotile.readers.hrefs import shown_href

    configure_logging(settings.log_level, settings.log_format)
    end_well_when_stopped()
    prefixes = AllowedPlaces(settings.source_places, setting=SOURCE_SETTING)
    documents = DocumentReader()
    catalogue = look_at(place, lambda href: _body(documents, href), prefixes)
    hosts = hosts_of(catalogue, prefixes)
    print_lines(
        [
            f"catalogue     {shown_href(catalogue.href)}",
            *(f"left out      {line}" for line in catalogue.left_out),
            *(host.line for host in hosts),
        ]
    )
    if hosts and not any(host.is_allowed for host in hosts):
        options = " ".join(f"--allow {host.prefix}" for host in hosts)
        fail(f"the files of its items lie where nothing is allowed to be read; add {options}")
    file = _write_configuration(catalogue, settings.catalogues_folder)
    print_lines([f"configuration {file}"])
    settings = settings.model_copy(update={"config": file})
    _index_for_a_while(settings)
    return settings


def _index_for_a_while(settings: "Settings") -> None:
    """Fill the index for at most `INDEXING_S` seconds; the server continues if it is not complete."""
    from chronotile.app.configured_archive import index_store, source_access
    from chronotile.archive.index.fill import Interrupted, fill
    from chronotile.archive.index.sources import indexed_collection, source_of, specs_of_items
    from chronotile.cli.index import counting, summary_lines
    from chronotile.core.errors import ConfigurationError, SourceUnavailable, UnsupportedSource

    start_s = monotonic()
    (spec,) = specs_of_items(settings.config, environment=os.environ)
    with closing(index_store(settings)) as store, counting(f"indexing {spec.collection}", "entries") as progress:
        try:
            summary = fill(
                indexed_collection(spec),
                source_of(spec, source_access(settings)),
                store,
                is_whole=False,
                progress=progress,
                is_stopped=lambda: monotonic() - start_s > INDEXING_S,
            )
        except Interrupted:
            print_lines([f"indexing      not finished after {INDEXING_S:g} s; continues while the server runs"])
        except (ConfigurationError, SourceUnavailable, UnsupportedSource) as error:
            print_lines([f"indexing      failed, the server tries again: {error.message}"])
        else:
            print_lines(summary_lines(summary, monotonic() - start_s))


def _body(documents: "DocumentReader", href: str) -> "JsonMapping":
    """Return the document at a path or URL.

    Raises:
        ConfigurationError: The document cannot be read; the message has its path or URL.
    """
    from chronotile.archive.index.documents import require_document
    from chronotile.core.errors import ChronotileError, ConfigurationError
    from chronotile.readers.hrefs import shown_href

    try:
        return require_document(documents.read(href)).body
    except ChronotileError as error:
        reason = error.message.removeprefix(f"{shown_href(href)} ")
        raise ConfigurationError([f"{shown_href(href)}: {reason}"]) from error


def _write_configuration(catalogue: "SeenCatalogue", folder: Path) -> Path:
    """Write the configuration of a catalogue to a file whose path depends only on the catalogue; return it."""
    from chronotile.core.durable_files import Disk
    from chronotile.core.yaml_source import write_yaml
    from chronotile.readers.stac.collection import metadata_of
    from chronotile.readers.stac.drafts import draft_of

    metadata = metadata_of(catalogue.collection, [item.document for item in catalogue.items])
    section = draft_of(metadata, catalogue.href, {}).section
    values = {
        "service": {"title": metadata.title or metadata.id},
        # Other keys are completed from the metadata each time it is opened.
        "collections": {metadata.id: {key: section[key] for key in ("source", "time", "mosaic") if key in section}},
    }
    subfolder = folder / f"{metadata.id}-{blake2b(catalogue.href.encode(), digest_size=5).hexdigest()}"
    file = subfolder / "chronotile.yaml"
    try:
        subfolder.mkdir(mode=0o700, parents=True, exist_ok=True)  # private, as the URL may contain a signature
        text = f"# Made by chronotile serve; copy it to change it.\n{write_yaml(values)}"
        disk = Disk()
        disk.put(file, text.encode())
        disk.settle([subfolder])
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    return file
