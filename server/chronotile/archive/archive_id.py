"""The id of an archive, which binds its jobs to it: the same for its server, its workers and `chronotile jobs`."""

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from chronotile.archive.discovery.names import slug
from chronotile.archive.open import Archive, is_configuration
from chronotile.catalog.load import written_id
from chronotile.errors import ConfigurationError

log = logging.getLogger(__name__)

MOST_LETTERS = 40
"""Of the name that a derived id begins with."""


def archive_id(place: Path, written: str | None) -> str:
    """Return the id of an archive.

    Without one of its own it is made of the absolute path, symbolic links followed, so that it stays when the
    configuration is edited: the name of the file or folder, which people recognise, and a hash of the path, so that it
    is unique and does not give the path away.

    Args:
        place: Of the configuration, or of the folder or file of data.
        written: `service.id` of the configuration.
    """
    if written is not None:
        return written
    path = place.resolve()
    name = slug(path.stem)[:MOST_LETTERS].strip("-") or "archive"
    return f"{name}-{hashlib.blake2b(os.fsencode(path), digest_size=5).hexdigest()}"


def id_of_open(archive: Archive, place: Path, *, is_shared: bool) -> str:
    """Return the id of an open archive; warns the operator where another may have the same.

    Args:
        archive: It.
        place: From which it was opened.
        is_shared: Whether its jobs are in a database that other hosts may use too.
    """
    written = archive.configuration.service.id
    if written is None and is_shared:
        log.warning(
            "jobs are in a shared database (CHRONOTILE_DATABASE_URL) and the configuration has no service.id: an "
            "archive at the same path on another host or in another container would be taken for this one; set "
            "service.id"
        )
    return archive_id(place, written)


def archive_id_at(place: Path, *, environment: Mapping[str, str]) -> str:
    """Return the id of the archive at a place, whatever else is wrong with it: its data are not opened.

    Raises:
        ConfigurationError: There is nothing at the place, or its configuration is not valid YAML.
    """
    if not place.exists():
        raise ConfigurationError(
            [f"{place} cannot be read: there is no such file; name the configuration, or the folder or file of data"]
        )
    return archive_id(place, written_id(place, environment=environment) if is_configuration(place) else None)
