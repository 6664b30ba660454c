"""Ids of archives, which bind jobs to an archive. Server, workers and `chronotile jobs` compute the same id."""

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from chronotile.archive.discovery.names import slug
from chronotile.archive.open import Archive, is_configuration
from chronotile.catalog.load import read_configured_id
from chronotile.core.errors import ConfigurationError

log = logging.getLogger(__name__)


MAX_LETTERS = 40
"""Length of the part of a derived id that is taken from the name of the file or folder."""


def archive_id(place: Path, written: str | None) -> str:
    """Return the id of an archive.

    Without a configured id it is made of the resolved path, so that editing the configuration does not change it: the
    name of the file or folder, and a hash of the path, which makes it unique without disclosing the path.

    Args:
        place: The configuration file, or the folder or file of data.
        written: `service.id` of the configuration.
    """
    if written is not None:
        return written
    path = place.resolve()
    name = slug(path.stem)[:MAX_LETTERS].strip("-") or "archive"
    return f"{name}-{hashlib.blake2b(os.fsencode(path), digest_size=5).hexdigest()}"


def id_of_open(archive: Archive, place: Path, *, is_shared: bool) -> str:
    """Return the id of an open archive; log a warning if another archive may have the same id.

    Args:
        archive: The open archive.
        place: Where it was opened.
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
    """Return the id of the archive at `place` without opening its data.

    Raises:
        ConfigurationError: `place` does not exist, or its configuration is not valid YAML.
    """
    if not place.exists():
        remedy = "name the configuration, or the folder or file of data"
        raise ConfigurationError([f"{place} cannot be read: there is no such file; {remedy}"])
    return archive_id(place, read_configured_id(place, environment=environment) if is_configuration(place) else None)
