"""Times, variables and shared parts in names of files."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path

from chronotile.readers.dates import find_bare_year, find_folder_time, find_time
from chronotile.readers.name_parts import (
    CONSOLIDATION,
    NUMBERED,
    PART_KINDS,
    DatedPart,
    PartKind,
    are_parts,
    parts_after,
    time_of_text,
)

TIME, ANY, VARIABLE, ONE = "\0", "\1", "\2", "\3"
"""Placeholders in the pattern of a name for its time, other dates, its variable, and the letter of its satellite."""

KNOWN_VARIABLES = frozenset(
    (
        *("ndvi", "evi", "evi2", "savi", "msavi", "gndvi", "ndwi", "mndwi", "ndmi", "ndbi", "ndsi", "nbr", "nbr2"),
        *("lai", "fapar", "fpar", "fcover", "fvc", "ccc", "cwc", "dmp", "gdmp", "gpp", "npp", "vci", "tci", "vhi"),
        *("ssm", "swi", "sm", "lst", "sst", "albedo", "tcd", "chl", "chla", "chlor", "tsm", "snow"),
        *("vv", "vh", "hh", "hv", "red", "green", "blue", "nir", "nir08", "rededge", "rededge1", "rededge2"),
        *("rededge3", "swir", "swir1", "swir2", "swir16", "swir22", "coastal", "cirrus", "pan", "b8a"),
        *("scl", "qa", "quality", "cloud", "clouds", "mask"),
    )
)
"""Words in a file's name that identify its variable."""

_BAND = re.compile(r"b\d{1,2}", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9]+")
_LONG_NUMBER = re.compile(r"\d{10,}")
"""Production times and similar numbers, which differ from file to file."""
_ALL_DIGITS = re.compile(r"\d{1,4}")
_PLACEHOLDERS = re.compile(f"[{TIME}{ANY}{VARIABLE}]")
_SCENE = re.compile(rf"(?P<head>(?:.*/)?[^/]*[A-Za-z0-9][^/]*[{TIME}{ANY}])[^/{TIME}{ANY}]*", re.DOTALL)
"""A name with other text before its last date, and the text after that date."""
_TAIL_WORD = re.compile(r"[^A-Za-z0-9]*[A-Za-z0-9]+|[^A-Za-z0-9]+$")
_CODE = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-UW-Za-uw-z]?\d{3,}|(?=[A-Fa-f]*\d)(?:[0-9A-F]{4,8}|[0-9a-f]{4,8})"
    r"|[A-Z0-9]{3}(?=_[FODRI]_(?:NR|ST|NT)_))(?![A-Za-z0-9])"
)
"""Orbits, cycles, checksums and baselines, which differ between products."""
_LEVEL = re.compile(r"(?<=[-_])(?:RT\d|R\d{5}_\d{3})(?=[-_.])")
"""Consolidation levels of Copernicus Land products, and releases of SMAP."""
_SECONDS_DIGITS = 13
"""Number of digits of an instant to the second with the day of the year; other forms have more."""
_OTHER = r"(?:(?!(?<!\d)(?:19|20)\d\d(?!\d)).)*"
_PERIOD_WORD = "w|wk|week|d|dk|dek|dekad|p|pt|pentad|m|month|q|season|doy|day"
_SOLE_YEAR = re.compile(
    rf"{_OTHER}(?<!(?<!\d)\d\d[-_. ])(?:19|20)\d\d(?![-_. ]?(?:{_PERIOD_WORD})?\d{{1,3}}(?![A-Za-z\d])){_OTHER}"
)
"""A name with one number that may be a year, and no adjacent number that may be a day, month or period."""
_YEARS_SERVED = range(1900, 2061)
"""Years that a bare number in a name may be, if files differ in nothing else."""
MAX_COMPARED = 6
"""Number of files with different times of day whose grids are compared."""
_VERSION = re.compile(r"[vV]\d+")
_TWIN = re.compile(r"(?<![A-Za-z0-9])(?:(S[123])[A-D]|(L[COT]0)[89]|(LT0)[45])(?![A-Za-z0-9])")
"""Satellites of one type, whose bands have the same numbers."""


@dataclass(frozen=True, slots=True)
class FileName:
    """A file's path relative to the folder of the discovery, with placeholders for variable parts."""

    path: Path
    """Relative to the folder of the discovery."""
    pattern: str
    """The path with placeholders for variable parts."""
    time: str | None
    """The text of the time."""
    variable: str | None = None
    """The text of the variable."""
    part: DatedPart | None = None
    """The text after the date, if it is a part of the time."""

    @property
    def number(self) -> PartKind | None:
        """The kind of the last digit of its time, if this is a number of dekads, pentads or halves of a month."""
        return self.part.kind if self.part and self.part.kind in NUMBERED else None

    @property
    def folder_pattern(self) -> str:
        """The part of the pattern up to the last slash."""
        return self.pattern.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class NameGroup:
    """Files whose names differ only in time and variable, in order of their paths."""

    pattern: str
    names: tuple[FileName, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables in the names; empty if the names do not differ in a variable."""
        return tuple(sorted({name.variable for name in self.names if name.variable is not None}))

    @property
    def folder_pattern(self) -> str:
        """The pattern of the folders."""
        return self.names[0].folder_pattern

    @property
    def is_dated(self) -> bool:
        """Whether the names have times."""
        return self.names[0].time is not None

    @property
    def shared_text(self) -> str:
        """The shared part of the files' names without suffix; the whole name of a single undated file."""
        if len(self.names) == 1 and not self.is_dated:
            return strip_suffix(self.names[0].path.name)
        pattern = re.sub(f"(?<![A-Za-z0-9])A{TIME}", TIME, self.pattern)  # days of MODIS: A2019155
        pattern = re.sub(f"0?{ONE}", "", pattern)
        words = re.split(_PLACEHOLDERS, strip_suffix(pattern.rpartition("/")[2]))
        return "_".join(filter(None, (word.strip("_-. ") for word in words)))


def strip_suffix(name: str) -> str:
    """Return a file's name without `.tif`, `.zarr.zip` and similar."""
    stem = name.removesuffix(".zip") if name.lower().endswith(".zarr.zip") else name
    return Path(stem).stem if Path(stem).suffix else stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Checks of file contents, for properties that names do not show; paths are relative to the folder."""

    holds_times: Callable[[Path], bool]
    """Whether a file has times inside; checked if names differ in a bare year."""
    are_alike: Callable[[Sequence[Path]], bool]
    """Whether files have the same grid and bands; checked if names differ in the satellite or the time of day."""
    are_of_one_place: Callable[[Sequence[Path]], bool]
    """Whether files cover the same area; checked if names differ after the date."""


def group_names(paths: Iterable[Path], looks: Looks | None = None) -> list[NameGroup]:
    """Return groups of files whose names differ only in their times or in a known variable.

    Args:
        paths: Relative to the folder of the discovery.
        looks: Checks of file contents; `None`: only names are compared.
    """
    names = [name_of(path) for path in paths]
    if looks is None:
        return _group(_find_variables(names))
    names = _find_years(_mask_codes(_extend_times(names, looks.are_alike), looks.are_alike), looks)
    names = _find_assets(names, _find_variables(names), looks.are_of_one_place)
    return _group(_mask_satellites(names, looks.are_alike))


def group_times(paths: Iterable[Path]) -> list[NameGroup]:
    """Return groups of files whose names differ only in their times, including bare years.

    For files with variables, and usually times, inside.

    Args:
        paths: Relative to the folder of the discovery.
    """
    names = [_find_year(name) for name in _extend_times([name_of(path) for path in paths], None)]
    without = [replace(name, pattern=CONSOLIDATION.sub(ANY, name.pattern)) for name in names]
    return _group(_replace_groups(names, without, lambda pairs: len({name.pattern for name, _other in pairs}) > 1))


def _group(names: Iterable[FileName]) -> list[NameGroup]:
    groups: dict[str, list[FileName]] = defaultdict(list)
    for name in names:
        groups[name.pattern].append(name)
    return [NameGroup(pattern, tuple(members)) for pattern, members in sorted(groups.items())]


def _extend_times(names: Sequence[FileName], are_alike: Callable[[Sequence[Path]], bool] | None) -> Sequence[FileName]:
    """Include the text after a date in the time, if it is a part of it; `None`: no file is opened."""
    for kind in PART_KINDS:
        candidates = [_extend_time(name, kind) for name in names]
        names = _replace_groups(names, candidates, partial(_are_parts, are_alike=are_alike), key=_mask_variable)
    return names


def _replace_groups(
    names: Sequence[FileName],
    candidates: Sequence[FileName],
    are_one: Callable[[Sequence[tuple[FileName, FileName]]], bool],
    *,
    key: Callable[[str], str] = str,
) -> list[FileName]:
    """Replace names by `candidates` for each group of equal keys that `are_one` accepts."""
    groups: dict[str, list[tuple[FileName, FileName]]] = defaultdict(list)
    for name, other in zip(names, candidates, strict=True):
        if other is not name:
            groups[key(other.pattern)].append((name, other))
    accepted = {id(other) for members in groups.values() if are_one(members) for _name, other in members}
    return [other if id(other) in accepted else name for name, other in zip(names, candidates, strict=True)]


def _extend_time(name: FileName, kind: PartKind) -> FileName:
    """Return a name with `TIME` for its date and the following part of a kind."""
    stem = strip_suffix(name.path.name)
    date = find_time(stem)
    part = parts_after(stem, date, kind) if date and name.time == stem[date.start : date.stop] else None
    if part is None:
        return name
    _span, start, stop = part.whole
    folder = f"{name.folder_pattern}/" if name.folder_pattern else ""
    pattern = folder + _mask_time(stem, start, stop) + name.path.name[len(stem) :]
    return FileName(name.path, pattern, stem[start:stop], part=part)


@lru_cache(maxsize=1 << 12)
def _mask_variable(pattern: str) -> str:
    # A pattern without differences in variables and satellites of one type.
    return mask_satellite_letter(_WORD.sub(lambda word: VARIABLE if is_known(word[0]) else word[0], pattern))


def mask_satellite_letter(text: str) -> str:
    """Return a text with `ONE` instead of the letters of satellites of one type."""
    return _TWIN.sub(lambda match: f"{match[match.lastindex or 0]}{ONE}", text)


def _are_parts(
    pairs: Sequence[tuple[FileName, FileName]], *, are_alike: Callable[[Sequence[Path]], bool] | None
) -> bool:
    """Return whether the texts after dates are parts of the times; tiles differ in their grids instead."""
    parts = [other.part for _name, other in pairs if other.part]
    if not are_parts(parts):
        return False
    if parts[0].kind == "period":
        return True
    if are_alike is None:
        return len({part.date.span for part in parts}) == len({part.whole.span for part in parts})
    paths: dict[str, dict[str, Path]] = defaultdict(dict)
    for (_name, other), part in zip(pairs, parts, strict=True):
        paths[other.pattern].setdefault(part.text, other.path)
    return all(are_alike(list(p.values())[:: -(-len(p) // MAX_COMPARED)]) for p in paths.values())


def _mask_codes(names: Sequence[FileName], are_alike: Callable[[Sequence[Path]], bool]) -> list[FileName]:
    """Replace orbits and other codes by `ANY`, if each product has different codes and files share a grid.

    The dates of products are different instants to the second. Levels of consolidation (`RT0`) are replaced too.
    """

    def are_one(pairs: Sequence[tuple[FileName, FileName]]) -> bool:
        members = [name for name, _other in pairs]
        # Compare one file of each pattern. Files of bursts have different grids, so their numbers are not replaced.
        paths = {_mask_variable(name.pattern): name.path for name in members}
        step = -(-len(paths) // MAX_COMPARED)
        if len(paths) < 2 or not are_alike(list(paths.values())[::step]):
            return False
        products = {(name.time, _mask_variable(name.pattern)) for name in members}
        is_coded_by_time = len(products) == len({name.time for name in members})
        return is_coded_by_time or all(_LEVEL.search(name.pattern) for name in members)

    def mask_codes(name: FileName) -> FileName:
        folder, slash, members = name.pattern.rpartition("/")
        masked = (
            _CODE.sub(ANY, re.sub(rf"(?<![A-Za-z0-9])[a-z]{ANY}", ANY, members))
            if has_seconds(name)
            else _LEVEL.sub(ANY, members)
        )
        return replace(name, pattern=folder + slash + masked) if name.time and masked != members else name

    return _replace_groups(names, list(map(mask_codes, names)), are_one, key=_mask_variable)


def has_seconds(name: FileName) -> bool:
    """Return whether the time of a name is an instant to the second."""
    return sum(map(str.isdigit, name.time or "")) >= _SECONDS_DIGITS


def _find_years(names: Sequence[FileName], looks: Looks) -> list[FileName]:
    """Replace a bare year by `TIME` in names that differ only in it, or have no other number that may be a year."""

    def are_years(members: Sequence[tuple[FileName, FileName]]) -> bool:
        paths = [name.path for name, _other in members]
        if len(paths) > 1 and all(map(looks.holds_times, paths)):
            return True
        years = [int(other.time or 0) for _name, other in members]
        is_sure = all(_SOLE_YEAR.fullmatch(strip_suffix(path.name)) for path in paths)
        return is_sure and all(year in _YEARS_SERVED for year in years) and looks.are_alike(paths[:MAX_COMPARED])

    return _replace_groups(names, list(map(_find_year, names)), are_years)


def _find_year(name: FileName) -> FileName:
    """Return an undated name with `TIME` for its last separate year."""
    stem = strip_suffix(name.path.name)
    year = find_bare_year(stem) if name.time is None else None
    if year is None:
        return name
    pattern = stem[: year.start] + TIME + stem[year.stop :] + name.path.name[len(stem) :]
    return FileName(name.path, "/".join((*name.path.parts[:-1], pattern)), stem[year.start : year.stop])


def name_of(path: Path) -> FileName:
    """Return a name with the time in a path: in the file's name, or else in the nearest folders."""
    folders, stem = list(path.parts[:-1]), strip_suffix(path.name)
    suffix = path.name[len(stem) :]
    date = find_time(stem)
    if date is not None:
        folders = [ANY if _ALL_DIGITS.fullmatch(folder) else _mask_dates(folder) for folder in folders]
        dated_stem = _mask_time(stem, date.start, date.stop)
        return FileName(path, "/".join((*folders, dated_stem + suffix)), stem[date.start : date.stop])
    parts = [*folders, stem]
    dated = find_folder_time(parts if stem.isdigit() else folders)
    if dated is None:
        return FileName(path, "/".join(parts) + suffix, None)
    start, stop = dated.found.start, dated.found.stop
    parts[dated.first : dated.last + 1] = [_mask_time(dated.text, start, stop)]
    return FileName(path, "/".join(parts) + suffix, dated.text[start:stop])


def _mask_time(text: str, start: int, stop: int) -> str:
    # The text with `TIME` for the time; if the time is in several folders, for the part in each.
    times = "/".join(TIME for _part in text[start:stop].split("/"))
    return _mask_dates(text[:start]) + times + _mask_dates(text[stop:])


def _mask_dates(text: str) -> str:
    """Replace remaining dates and long numbers by `ANY`."""
    date = find_time(text)
    while date is not None:
        text = text[: date.start] + ANY + text[date.stop :]
        date = find_time(text)
    return _LONG_NUMBER.sub(ANY, text)


def _mask_satellites(names: Sequence[FileName], are_alike: Callable[[Sequence[Path]], bool]) -> list[FileName]:
    """Replace the letter of the satellite by `ONE` in names that differ only in it and share no date."""
    twins = [replace(name, pattern=mask_satellite_letter(name.pattern)) for name in names]

    def are_one(pairs: Sequence[tuple[FileName, FileName]]) -> bool:
        """Return whether files of several satellites are times of one collection; pairs are (name, twin)."""
        members: dict[str, list[FileName]] = defaultdict(list)
        for name, _twin in pairs:
            members[name.pattern].append(name)
        dated = [
            {(name.variable, span.start) for name in same_pattern if (span := time_of_text(name.time or ""))}
            for same_pattern in members.values()
        ]
        is_apart = len(members) > 1 and all(dated) and sum(map(len, dated)) == len(set().union(*dated))
        return is_apart and are_alike([same_pattern[0].path for same_pattern in members.values()])

    return _replace_groups(names, twins, are_one)


def _find_variables(names: Sequence[FileName]) -> list[FileName]:
    """Replace the word that distinguishes most otherwise equal names by `VARIABLE`."""
    options = [_variable_options(name) for name in names]
    words_by_pattern: dict[str, set[str]] = defaultdict(set)
    for pattern, word in chain.from_iterable(option.items() for option in options):
        words_by_pattern[pattern].add(word)
    best = [max(o, key=lambda pattern: len(words_by_pattern[pattern]), default="") for o in options]
    return [
        replace(name, pattern=pattern, variable=words[pattern]) if len(words_by_pattern[pattern]) > 1 else name
        for name, words, pattern in zip(names, options, best, strict=True)
    ]


def _find_assets(
    plain: Sequence[FileName], variable_names: Sequence[FileName], are_of_one_place: Callable[[Sequence[Path]], bool]
) -> list[FileName]:
    """Replace the text after the last date by `VARIABLE` if it names the files of a scene.

    Args:
        plain: The names without variables.
        variable_names: The names with variables that are single words.
        are_of_one_place: Whether files cover the same area.
    """
    result, scenes = list(variable_names), defaultdict[str, list[int]](list)
    for number, name in enumerate(plain):
        dated = _SCENE.fullmatch(name.pattern) if name.time else None
        if dated is not None:
            scenes[dated["head"]].append(number)
    for head, numbers in scenes.items():
        if len({variable_names[number].pattern for number in numbers}) == 1:
            continue
        tails = {number: plain[number].pattern.removeprefix(head) for number in numbers}
        pattern, variables = _assets_of(set(tails.values()))
        first = {variables[tail]: number for number, tail in reversed(tails.items())} if variables else {}
        if first and are_of_one_place([plain[number].path for number in first.values()]):
            for number, tail in tails.items():
                result[number] = replace(plain[number], pattern=head + pattern, variable=variables[tail])
    return result


def _assets_of(tails: Collection[str]) -> tuple[str, dict[str, str]]:
    """Return the pattern of the texts after dates, and the different part by text; empty if no part is known."""
    words = {tail: _TAIL_WORD.findall(tail) for tail in tails}
    shortest = min(map(len, words.values()))
    first = next((n for n in range(shortest) if len({w[n] for w in words.values()}) > 1), shortest)
    last = next((n for n in range(shortest) if len({w[-1 - n] for w in words.values()}) > 1), shortest)
    middles = {tail: "".join(w[first : len(w) - last]) for tail, w in words.items()}
    known_words = [word for middle in middles.values() for word in _WORD.findall(middle)]
    signs = {middle[:1] for middle in middles.values()}
    if signs - {"_"} or not any(map(is_known, known_words)) or any(map(_VERSION.fullmatch, known_words)):
        return "", {}
    one = next(iter(words.values()))
    pattern = f"{''.join(one[:first])}_{VARIABLE}{''.join(one[len(one) - last :])}"
    return pattern, {tail: middle[1:] for tail, middle in middles.items()}


def _variable_options(name: FileName) -> dict[str, str]:
    """Return the words by pattern: for each known variable the pattern without it."""
    return {
        name.pattern[: word.start()] + VARIABLE + name.pattern[word.end() :]: word[0]
        for word in _WORD.finditer(name.pattern, len(name.folder_pattern))
        if is_known(word[0])
    }


def is_known(word: str) -> bool:
    """Return whether a word is the name of a variable or of a satellite's band."""
    return word.lower() in KNOWN_VARIABLES or _BAND.fullmatch(word) is not None


_HIDDEN_WORD = re.compile(
    r"(?<![A-Za-z])(" + "|".join(sorted(KNOWN_VARIABLES, key=len, reverse=True)) + r")(?![A-Za-z])", re.IGNORECASE
)


def variable_in(*texts: str) -> str | None:
    """Return the first known variable in any of the texts, in their spelling (`ndvi` in `ndvi300`)."""
    matches = (_HIDDEN_WORD.search(text) for text in texts)
    return next((match[1] for match in matches if match), None)


def band_in(*texts: str) -> str | None:
    """Return the first satellite's band that is a separate word in any of the texts (`B08` in `T31UFS_B08`)."""
    words = (word for text in texts for word in re.split(r"[^A-Za-z0-9]+", text))
    return next((word for word in words if _BAND.fullmatch(word) or word.lower() == "b8a"), None)


def slug(text: str) -> str:
    """Return a text as an id: lower case without accents, with `-` instead of other characters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:100].strip("-")


def as_id(text: str) -> str:
    """Return a name as the id of a variable; empty if it has neither letter nor digit."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.-")[:60].strip("_.-")


def as_title(text: str) -> str | None:
    """Return a name as a title, without characters that a configuration would read as an environment variable."""
    return " ".join(re.sub(r"[_\s]+|[${}]", " ", text).split()) or None
