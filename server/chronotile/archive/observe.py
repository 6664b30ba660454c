"""Ranges of values in open sources, over which styles are stretched if the configuration names none."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from chronotile.archive.open_sources import THREADS
from chronotile.catalog.configuration import CollectionSection
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.source import SourceInfo
from chronotile.readers.library_errors import reading
from chronotile.readers.reader import Reader
from chronotile.readers.sample import observed_range


def observed_infos(sections: Mapping[str, CollectionSection], readers: Mapping[str, Reader]) -> dict[str, SourceInfo]:
    """Return the sources' contents, with observed ranges of variables without classes and configured styles."""
    selected = [
        (collection, name)
        for collection, reader in readers.items()
        for name, info in reader.info.variables.items()
        if not info.classes and info.name not in styled_variables(sections[collection])
    ]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="observe") as pool:
        ranges = dict(zip(selected, pool.map(lambda key: _range(readers[key[0]], *key), selected), strict=True))
    return {collection: _add_ranges(collection, reader.info, ranges) for collection, reader in readers.items()}


def styled_variables(section: CollectionSection) -> frozenset[str]:
    """Return the variables for which the configuration names styles."""
    return frozenset(name for name, variable in section.variables.items() if variable.styles is not None)


def _range(reader: Reader, collection: str, variable: str) -> tuple[float, float] | None:
    """Return `None` if the pixels are unreadable now; requests report that."""
    try:
        with reading(collection, variable):
            return observed_range(reader, variable)
    except SourceUnavailable:
        return None


def _add_ranges(
    collection: str, info: SourceInfo, ranges: Mapping[tuple[str, str], tuple[float, float] | None]
) -> SourceInfo:
    variables = {
        name: replace(variable, observed_range=ranges.get((collection, name), variable.observed_range))
        for name, variable in info.variables.items()
    }
    return replace(info, variables=variables)
