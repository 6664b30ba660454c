"""What the names of files tell: their time, what they share with others, and the variable they hold."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path

from chronotile.readers.dates import find_bare_year, find_folder_time, find_time
from chronotile.readers.name_parts import NUMBERED, PART_KINDS, Part, PartKind, are_parts, parts_after, time_of_text

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
"""Production times and similar, which differ from file to file."""
_ALL_DIGITS = re.compile(r"\d{1,4}")
_PLACEHOLDERS = re.compile(f"[{TIME}{ANY}{VARIABLE}]")
_SCENE = re.compile(rf"(?P<head>(?:.*/)?[^/]*[A-Za-z0-9][^/]*[{TIME}{ANY}])[^/{TIME}{ANY}]*", re.DOTALL)
"""A name with more before its last date than other dates, and what follows that."""
_TAIL_WORD = re.compile(r"[^A-Za-z0-9]*[A-Za-z0-9]+|[^A-Za-z0-9]+$")
_CODE = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-UW-Za-uw-z]?\d{3,}|(?=[A-Fa-f]*\d)(?:[0-9A-F]{4,8}|[0-9a-f]{4,8})"
    r"|[A-Z0-9]{3}(?=_[FODRI]_(?:NR|ST|NT)_))(?![A-Za-z0-9])"
)
"""Orbits, cycles, checksums and baselines, which differ from product to product."""
_LEVEL = re.compile(r"(?<=[-_])(?:RT\d|R\d{5}_\d{3})(?=[-_.])")
"""Consolidation of Copernicus Land products, and releases of SMAP."""
_SECONDS_DIGITS = 13
"""Digits of an instant to the second by the day of the year; other forms have more."""
_OTHER = r"(?:(?!(?<!\d)(?:19|20)\d\d(?!\d)).)*"
_PERIOD_WORD = "w|wk|week|d|dk|dek|dekad|p|pt|pentad|m|month|q|season|doy|day"
_SOLE_YEAR = re.compile(
    rf"{_OTHER}(?<!(?<!\d)\d\d[-_. ])(?:19|20)\d\d(?![-_. ]?(?:{_PERIOD_WORD})?\d{{1,3}}(?![A-Za-z\d])){_OTHER}"
)
"""A name with one number like a year, which has no number beside it that could be a day, month or period."""
_YEARS_SERVED = range(1900, 2061)
"""Years that a bare number in a name may be, if files differ in nothing else."""
MOST_COMPARED = 6
"""Files of different times of day whose grids are compared."""
_VERSION = re.compile(r"[vV]\d+")
_TWIN = re.compile(r"(?<![A-Za-z0-9])(?:(S[123])[A-D]|(L[COT]0)[89]|(LT0)[45])(?![A-Za-z0-9])")
"""Satellites of one build, whose bands have the same numbers."""


@dataclass(frozen=True, slots=True)
class Name:
    """A file's path below the folder looked into, with patterns for what varies."""

    path: Path
    """From the folder looked into."""
    pattern: str
    """The path with `TIME`, `ANY` and `VARIABLE` for what varies."""
    time: str | None
    """The text that stands for the time."""
    variable: str | None = None
    """The text that stands for the variable."""
    part: Part | None = None
    """What follows its date as a part of its time."""

    @property
    def number(self) -> PartKind | None:
        """Whether the last digit of its time is the number of a dekad or pentad."""
        return self.part.kind if self.part and self.part.kind in NUMBERED else None

    @property
    def folder_pattern(self) -> str:
        """The part of the pattern up to the last slash."""
        return self.pattern.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class NameGroup:
    """Files whose names differ in time and variable only, in order of their paths."""

    pattern: str
    names: tuple[Name, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """What stands for the variable, each once; nothing where the names do not differ in it."""
        return tuple(sorted({name.variable for name in self.names if name.variable is not None}))

    @property
    def folder_pattern(self) -> str:
        """The pattern of the folders of all."""
        return self.names[0].folder_pattern

    @property
    def is_dated(self) -> bool:
        """Whether the names tell times."""
        return self.names[0].time is not None

    @property
    def shared_text(self) -> str:
        """The part of the files' names that all share, without suffix; of a single undated file all of it."""
        if len(self.names) == 1 and not self.is_dated:
            return without_suffix(self.names[0].path.name)
        pattern = re.sub(f"(?<![A-Za-z0-9])A{TIME}", TIME, self.pattern)  # as MODIS writes its days: A2019155
        pattern = re.sub(f"0?{ONE}", "", pattern)
        words = re.split(_PLACEHOLDERS, without_suffix(pattern.rpartition("/")[2]))
        return "_".join(filter(None, (word.strip("_-. ") for word in words)))


def without_suffix(name: str) -> str:
    """Return a file's name without `.tif`, `.zarr.zip` and similar."""
    stem = name.removesuffix(".zip") if name.lower().endswith(".zarr.zip") else name
    return Path(stem).stem if Path(stem).suffix else stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Properties of files that names do not show, found by opening some of them; paths are from the folder."""

    holds_times: Callable[[Path], bool]
    """Whether a file has times inside; where names differ in a bare year."""
    are_alike: Callable[[Sequence[Path]], bool]
    """Whether files have the same grid and bands; where names differ in the satellite or the time of day."""
    are_of_one_place: Callable[[Sequence[Path]], bool]
    """Whether files cover the same area; where names differ in what follows the date."""


def group_names(paths: Iterable[Path], looks: Looks | None = None) -> list[NameGroup]:
    """Return the files in groups whose names differ in their times, or in a known variable, only.

    Args:
        paths: From the folder looked into.
        looks: Into files; without, their names alone count.
    """
    names = [name_of(path) for path in paths]
    if looks is None:
        return _grouped(_with_variables(names))
    names = _with_years(_with_codes(_with_parts(names, looks.are_alike), looks.are_alike), looks)
    names = _with_assets(names, _with_variables(names), looks.are_of_one_place)
    return _grouped(_with_twins(names, looks.are_alike))


def group_times(paths: Iterable[Path]) -> list[NameGroup]:
    """Return the files in groups whose names differ in their times only, of which a bare year is one.

    For files that tell their variables, and mostly their times, themselves.

    Args:
        paths: From the folder looked into.
    """
    return _grouped([_with_year(name) for name in _with_parts([name_of(path) for path in paths], None)])


def _grouped(names: Iterable[Name]) -> list[NameGroup]:
    groups: dict[str, list[Name]] = defaultdict(list)
    for name in names:
        groups[name.pattern].append(name)
    return [NameGroup(pattern, tuple(members)) for pattern, members in sorted(groups.items())]


def _with_parts(names: Sequence[Name], are_alike: Callable[[Sequence[Path]], bool] | None) -> Sequence[Name]:
    """The names, with `TIME` for a date and what follows it as a part of the time; `None`: no file is opened."""
    for kind in PART_KINDS:
        others = [_with_part(name, kind) for name in names]
        names = _replaced(names, others, partial(_are_parts, are_alike=are_alike), key=_without_variable)
    return names


def _replaced(
    names: Sequence[Name],
    others: Sequence[Name],
    are_one: Callable[[Sequence[tuple[Name, Name]]], bool],
    *,
    key: Callable[[str], str] = str,
) -> list[Name]:
    """The names, or the others in their places where those whose patterns have one key belong together."""
    groups: dict[str, list[tuple[Name, Name]]] = defaultdict(list)
    for name, other in zip(names, others, strict=True):
        if other is not name:
            groups[key(other.pattern)].append((name, other))
    joined = {id(other) for members in groups.values() if are_one(members) for _name, other in members}
    return [other if id(other) in joined else name for name, other in zip(names, others, strict=True)]


def _with_part(name: Name, kind: PartKind) -> Name:
    """A name, with `TIME` for its date and the part of a kind after that."""
    stem = without_suffix(name.path.name)
    found = find_time(stem)
    part = parts_after(stem, found, kind) if found and name.time == stem[found.start : found.stop] else None
    if part is None:
        return name
    _span, start, stop = part.whole
    folder = f"{name.folder_pattern}/" if name.folder_pattern else ""
    pattern = folder + _dated(stem, start, stop) + name.path.name[len(stem) :]
    return Name(name.path, pattern, stem[start:stop], part=part)


@lru_cache(maxsize=1 << 12)
def _without_variable(pattern: str) -> str:
    # A pattern in which variables and satellites of one build are one.
    return with_one_satellite(_WORD.sub(lambda word: VARIABLE if is_known(word[0]) else word[0], pattern))


def with_one_satellite(text: str) -> str:
    """Return a text with `ONE` instead of the letters of satellites of one build."""
    return _TWIN.sub(lambda found: f"{found[found.lastindex or 0]}{ONE}", text)


def _are_parts(pairs: Sequence[tuple[Name, Name]], *, are_alike: Callable[[Sequence[Path]], bool] | None) -> bool:
    """Whether what follows dates is a part of the times; tiles differ in their grids."""
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
    return all(are_alike(list(each.values())[:: -(-len(each) // MOST_COMPARED)]) for each in paths.values())


def _with_codes(names: Sequence[Name], are_alike: Callable[[Sequence[Path]], bool]) -> list[Name]:
    """The names, with `ANY` for orbits and other codes, if each product has its own and files share a grid.

    The dates of products are instants to the second, and differ; so do levels of consolidation (`RT0`).
    """

    def are_one(pairs: Sequence[tuple[Name, Name]]) -> bool:
        own = [name for name, _other in pairs]
        if len({name.pattern for name in own}) < 2 or not are_alike([name.path for name in own[:MOST_COMPARED]]):
            return False
        products = {(name.time, _without_variable(name.pattern)) for name in own}
        is_coded_by_time = len(products) == len({name.time for name in own})
        return is_coded_by_time or all(_LEVEL.search(name.pattern) for name in own)

    def without_codes(name: Name) -> Name:
        is_exact = sum(map(str.isdigit, name.time or "")) >= _SECONDS_DIGITS
        folder, slash, own = name.pattern.rpartition("/")
        masked = _CODE.sub(ANY, re.sub(rf"(?<![A-Za-z0-9])[a-z]{ANY}", ANY, own)) if is_exact else _LEVEL.sub(ANY, own)
        return replace(name, pattern=folder + slash + masked) if name.time and masked != own else name

    return _replaced(names, list(map(without_codes, names)), are_one, key=_without_variable)


def _with_years(names: Sequence[Name], looks: Looks) -> list[Name]:
    """The names, with `TIME` for a bare year in those that differ in it only, or have no other number like a year."""

    def are_years(members: Sequence[tuple[Name, Name]]) -> bool:
        paths = [name.path for name, _other in members]
        if len(paths) > 1 and all(map(looks.holds_times, paths)):
            return True
        years = [int(other.time or 0) for _name, other in members]
        is_sure = all(_SOLE_YEAR.fullmatch(without_suffix(path.name)) for path in paths)
        return is_sure and all(year in _YEARS_SERVED for year in years) and looks.are_alike(paths[:MOST_COMPARED])

    return _replaced(names, list(map(_with_year, names)), are_years)


def _with_year(name: Name) -> Name:
    """A name without time, with `TIME` for the last year that stands alone in it."""
    stem = without_suffix(name.path.name)
    year = find_bare_year(stem) if name.time is None else None
    if year is None:
        return name
    pattern = stem[: year.start] + TIME + stem[year.stop :] + name.path.name[len(stem) :]
    return Name(name.path, "/".join((*name.path.parts[:-1], pattern)), stem[year.start : year.stop])


def name_of(path: Path) -> Name:
    """Return the time in a path: in the file's name, or else in the nearest folders'."""
    folders, stem = list(path.parts[:-1]), without_suffix(path.name)
    suffix = path.name[len(stem) :]
    found = find_time(stem)
    if found is not None:
        folders = [ANY if _ALL_DIGITS.fullmatch(folder) else _undated(folder) for folder in folders]
        dated_stem = _dated(stem, found.start, found.stop)
        return Name(path, "/".join((*folders, dated_stem + suffix)), stem[found.start : found.stop])
    parts = [*folders, stem]
    dated = find_folder_time(parts if stem.isdigit() else folders)
    if dated is None:
        return Name(path, "/".join(parts) + suffix, None)
    start, stop = dated.found.start, dated.found.stop
    parts[dated.first : dated.last + 1] = [_dated(dated.text, start, stop)]
    return Name(path, "/".join(parts) + suffix, dated.text[start:stop])


def _dated(text: str, start: int, stop: int) -> str:
    # The text with `TIME` for the time; of a time in several folders, for the part in each.
    times = "/".join(TIME for _part in text[start:stop].split("/"))
    return _undated(text[:start]) + times + _undated(text[stop:])


def _undated(text: str) -> str:
    """The text with `ANY` for each further date and long number."""
    found = find_time(text)
    while found is not None:
        text = text[: found.start] + ANY + text[found.stop :]
        found = find_time(text)
    return _LONG_NUMBER.sub(ANY, text)


def _with_twins(names: Sequence[Name], are_alike: Callable[[Sequence[Path]], bool]) -> list[Name]:
    """The names, with `ONE` for the letter of the satellite in those that differ in it and have no date in common."""
    twins = [replace(name, pattern=with_one_satellite(name.pattern)) for name in names]

    def are_one(pairs: Sequence[tuple[Name, Name]]) -> bool:
        """Whether files of several satellites are the times of one collection."""
        members: dict[str, list[Name]] = defaultdict(list)
        for name, _twin in pairs:
            members[name.pattern].append(name)
        dated = [
            {(name.variable, span.start) for name in own if (span := time_of_text(name.time or ""))}
            for own in members.values()
        ]
        is_apart = len(members) > 1 and all(dated) and sum(map(len, dated)) == len(set().union(*dated))
        return is_apart and are_alike([own[0].path for own in members.values()])

    return _replaced(names, twins, are_one)


def _with_variables(names: Sequence[Name]) -> list[Name]:
    """The names with `VARIABLE` in place of the word by which most otherwise equal names differ."""
    options = [_variable_options(name) for name in names]
    seen: dict[str, set[str]] = defaultdict(set)
    for pattern, word in chain.from_iterable(each.items() for each in options):
        seen[pattern].add(word)
    best = [max(each, key=lambda pattern: len(seen[pattern]), default="") for each in options]
    return [
        replace(name, pattern=pattern, variable=words[pattern]) if len(seen[pattern]) > 1 else name
        for name, words, pattern in zip(names, options, best, strict=True)
    ]


def _with_assets(
    plain: Sequence[Name], named: Sequence[Name], are_of_one_place: Callable[[Sequence[Path]], bool]
) -> list[Name]:
    """The names, with `VARIABLE` for what follows the last date where that names the files of a scene.

    Args:
        plain: The names without variables.
        named: The same, with those variables that single words tell.
        are_of_one_place: Whether files cover the same area.
    """
    found, scenes = list(named), defaultdict[str, list[int]](list)
    for number, name in enumerate(plain):
        dated = _SCENE.fullmatch(name.pattern) if name.time else None
        if dated is not None:
            scenes[dated["head"]].append(number)
    for head, numbers in scenes.items():
        if len({named[number].pattern for number in numbers}) == 1:
            continue
        tails = {number: plain[number].pattern.removeprefix(head) for number in numbers}
        pattern, variables = _assets_of(set(tails.values()))
        first = {variables[tail]: number for number, tail in reversed(tails.items())} if variables else {}
        if first and are_of_one_place([plain[number].path for number in first.values()]):
            for number, tail in tails.items():
                found[number] = replace(plain[number], pattern=head + pattern, variable=variables[tail])
    return found


def _assets_of(tails: Collection[str]) -> tuple[str, dict[str, str]]:
    """The pattern of what follows dates, and the part in which it differs, by tail; nothing if no part is known."""
    words = {tail: _TAIL_WORD.findall(tail) for tail in tails}
    shortest = min(map(len, words.values()))
    first = next((n for n in range(shortest) if len({each[n] for each in words.values()}) > 1), shortest)
    last = next((n for n in range(shortest) if len({each[-1 - n] for each in words.values()}) > 1), shortest)
    middles = {tail: "".join(each[first : len(each) - last]) for tail, each in words.items()}
    said = [word for middle in middles.values() for word in _WORD.findall(middle)]
    signs = {middle[:1] for middle in middles.values()}
    if signs - {"_"} or not any(map(is_known, said)) or any(map(_VERSION.fullmatch, said)):
        return "", {}
    one = next(iter(words.values()))
    pattern = f"{''.join(one[:first])}_{VARIABLE}{''.join(one[len(one) - last :])}"
    return pattern, {tail: middle[1:] for tail, middle in middles.items()}


def _variable_options(name: Name) -> dict[str, str]:
    """For each known variable in the file's name: the pattern without it, and the word."""
    return {
        name.pattern[: word.start()] + VARIABLE + name.pattern[word.end() :]: word[0]
        for word in _WORD.finditer(name.pattern, len(name.folder_pattern))
        if is_known(word[0])
    }


def is_known(word: str) -> bool:
    """Whether a word is the name of a variable or of a satellite's band."""
    return word.lower() in KNOWN_VARIABLES or _BAND.fullmatch(word) is not None


_HIDDEN_WORD = re.compile(
    r"(?<![A-Za-z])(" + "|".join(sorted(KNOWN_VARIABLES, key=len, reverse=True)) + r")(?![A-Za-z])", re.IGNORECASE
)


def variable_in(*texts: str) -> str | None:
    """Return the first known variable that any of the texts names, as it is spelled there (`ndvi` of `ndvi300`)."""
    found = (_HIDDEN_WORD.search(text) for text in texts)
    return next((each[1] for each in found if each), None)


def band_in(*texts: str) -> str | None:
    """Return the first satellite's band that any of the texts names as a word of its own (`B08` of `T31UFS_B08`)."""
    words = (word for text in texts for word in re.split(r"[^A-Za-z0-9]+", text))
    return next((word for word in words if _BAND.fullmatch(word) or word.lower() == "b8a"), None)


def slug(text: str) -> str:
    """Return a text as an id: lower case without accents, with `-` for all that is neither letter nor digit."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:100].strip("-")


def as_id(text: str) -> str:
    """Return a name as the id of a variable; nothing where it has neither letter nor digit."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.-")[:60].strip("_.-")


def as_title(text: str) -> str | None:
    """Return a name as a title, without what a configuration would take for a variable of the environment."""
    return " ".join(re.sub(r"[_\s]+|[${}]", " ", text).split()) or None
