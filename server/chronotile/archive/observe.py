"""The range of values in sources whose configuration names no styles, over which a style can be stretched."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from chronotile.archive.open_sources import THREADS
from chronotile.catalog.configuration import CollectionSection
from chronotile.errors import SourceUnavailable
from chronotile.model.source import SourceInfo, VariableInfo
from chronotile.readers.foreign import reading
from chronotile.readers.reader import Reader
from chronotile.readers.sample import observed_range


def observed_infos(sections: Mapping[str, CollectionSection], readers: Mapping[str, Reader]) -> dict[str, SourceInfo]:
    """Return what the sources hold, with the range of the values of each variable that is given no style."""
    selected = [
        (collection, name)
        for collection, reader in readers.items()
        for name, info in reader.info.variables.items()
        if _needs_range(sections[collection], info)
    ]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="observe") as pool:
        ranges = dict(zip(selected, pool.map(lambda each: _range(readers[each[0]], *each), selected), strict=True))
    return {collection: _observed(collection, reader.info, ranges) for collection, reader in readers.items()}


def styled_variables(section: CollectionSection) -> frozenset[str]:
    """Return the variables for which the configuration names styles."""
    return frozenset(name for name, variable in section.variables.items() if variable.styles is not None)


def _needs_range(section: CollectionSection, info: VariableInfo) -> bool:
    return not info.classes and info.name not in styled_variables(section)


def _range(reader: Reader, collection: str, variable: str) -> tuple[float, float] | None:
    """Nothing where the pixels cannot be read now: requests report that."""
    try:
        with reading(collection, variable):
            return observed_range(reader, variable)
    except SourceUnavailable:
        return None


def _observed(
    collection: str, info: SourceInfo, ranges: Mapping[tuple[str, str], tuple[float, float] | None]
) -> SourceInfo:
    variables = {
        name: replace(each, observed_range=ranges.get((collection, name), each.observed_range))
        for name, each in info.variables.items()
    }
    return replace(info, variables=variables)
