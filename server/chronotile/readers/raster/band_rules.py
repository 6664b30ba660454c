"""The rule that finds the band of a variable in each file of a stack.

Files of one stack may have their bands in different orders. If most files describe their bands, the band is found by
its description; otherwise by its number, provided that no description contradicts it.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.readers.dated_files import APART
from chronotile.readers.dates import find_time
from chronotile.readers.raster.bands import Band, FileBands

_DESCRIBE = f"describe its bands (gdal_edit -d), or {APART}"
_NUMBERED = re.compile(r"(band|layer|lyr)?[-_. ]?(?P<number>\d*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BandRule:
    """Finds the band of a variable in each file."""

    number: int | None
    """Number in most files; `None` for a file whose bands are times."""
    count: int
    """Number of bands of most files."""
    description: str | None = None
    """Description of the band; `None` to find it by its number."""
    is_strict: bool = False
    """Whether a band of that number without the description is refused, unless all other bands have theirs."""
    usual: tuple[str | None, ...] = ()
    """Descriptions of the bands in most files; empty if bands are times."""
    elsewhere: frozenset[str] = frozenset()
    """Keys of descriptions that some file has for a band of another number."""

    def band_in(self, file: FileBands, number: int) -> Band:
        """Return the band that holds the variable.

        Args:
            file: The bands of a file.
            number: Number of the band that contains the variable at this time in most files.

        Raises:
            UnsupportedSource: No band holds it, or several may.
        """
        bands = file.bands
        if file.fault is not None and self.number is not None:
            raise UnsupportedSource(f"its bands cannot be counted: {file.fault}")
        if self.description is not None:
            matches = _bands_called(self.description, bands)
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise UnsupportedSource(
                    f"{len(matches)} of its bands are called {self.description}; name each differently"
                )
            return self._band_without_description(bands, number, self.description)
        if len(bands) != self.count:
            raise UnsupportedSource(other_count(len(bands), self.count))
        return self._band_by_number(bands, number)

    def _band_without_description(self, bands: Sequence[Band], number: int, description: str) -> Band:
        """Return the band with a number in a file whose bands lack the configured description.

        Raises:
            UnsupportedSource: The file has other bands than most files, or describes this band as something else.
        """
        data_bands = [band for band in bands if not band.is_alpha]
        is_sole = len(data_bands) == 1 and number == data_bands[0].number
        if not is_sole and (len(bands) != self.count or (self.is_strict and not self._has_all_others(bands, number))):
            raise UnsupportedSource(f"no band of it is called {description}, which those of others are; {_DESCRIBE}")
        band = data_bands[0] if is_sole else bands[number - 1]
        if not _states_subject(band):
            return band
        raise UnsupportedSource(f"its band {number} is called {band.title}, that of others {description}; {_DESCRIBE}")

    def _has_all_others(self, bands: Sequence[Band], number: int) -> bool:
        # Whether all other bands have the descriptions of most files.
        pairs = zip(bands, self.usual, strict=True)
        return all(_key(band.title) == _key(title) for band, title in pairs if band.number != number)

    def _band_by_number(self, bands: Sequence[Band], number: int) -> Band:
        """Return the band with a number.

        Raises:
            UnsupportedSource: Most files give its description to another band, or describe no bands.
        """
        band = bands[number - 1]
        if not self.usual or sum(not b.is_alpha for b in bands) == 1 or not _states_subject(band):
            return band
        usual = self.usual[number - 1]
        if _key(band.title) != _key(usual) and _key(band.title) in self.elsewhere:
            raise UnsupportedSource(f"its band {number} is called as another band of others, {band.title}; {_DESCRIBE}")
        if usual is None:
            raise UnsupportedSource(
                f"its band {number} is called {band.title}, and the bands of most files have no descriptions, so that "
                f"their order is unknown; {_DESCRIBE}"
            )
        return band


def _key(title: str | None) -> str:
    # The description without case and punctuation.
    return re.sub(r"[\W_]+", "_", (title or "").casefold())


def _states_subject(band: Band) -> bool:
    """Return whether a description states a subject; some writers put the file name or the band number there."""
    if not band.title or find_time(band.title):
        return False
    match = _NUMBERED.fullmatch(band.title)
    return match is None or match["number"] not in ("", str(band.number))


def _bands_called(description: str, bands: Sequence[Band]) -> list[Band]:
    # The bands of that description; without any, those whose descriptions differ only in case and punctuation.
    exact = [band for band in bands if band.title == description]
    return exact or [band for band in bands if _key(band.title) == _key(description)]


def band_rule(
    variable: VariableSpec, band: Band, *, bands: Sequence[Band], file_bands: Sequence[FileBands]
) -> BandRule:
    """Return the rule that finds the band of a variable.

    Args:
        variable: From the configuration.
        band: The variable's band in a typical file.
        bands: All bands of that file.
        file_bands: The bands of each inspected file.
    """
    kinds, name = Counter(file_bands), variable.name or variable.id
    description = name if band.title is None else band.description
    is_shared = description is not None and _is_common(description, kinds)
    return BandRule(
        number=band.number,
        count=len(bands),
        description=description if is_shared else None,
        is_strict=is_shared and variable.band is None and name == description,
        usual=tuple(b.title for b in bands),
        elsewhere=frozenset(_key(b.title) for kind in kinds for b in kind.bands if b.title and b.number != band.number),
    )


def _is_common(description: str, kinds: Mapping[FileBands, int]) -> bool:
    """Return whether most files with descriptions have a band of this one, which is therefore not the file name."""
    holders = Counter[bool]()
    for kind, count in kinds.items():
        if any(band.title for band in kind.bands):
            holders[bool(_bands_called(description, kind.bands))] += count
    return 0 < holders[True] >= holders[False]


def other_count(count: int, usual: int) -> str:
    """Return why a file is skipped whose number of bands differs from most files, if bands have no descriptions."""
    return f"it has {count} {'band' if count == 1 else 'bands'}, most files {usual}; {APART}"
