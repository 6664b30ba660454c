"""Dates in names of files and descriptions of bands, found apart from the readers."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

_Y = r"(?<!\d)(?P<Y>\d{4})"
_DAY = rf"{_Y}(?P<s>[-_./]?)(?P<m>\d\d)(?P=s)(?P<d>\d\d)"
_DAY_OF_YEAR = rf"{_Y}[-_/]?(?P<j>\d{{3}})"
_HMS = r"(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)"
_CLOCK = (
    r"(?:[Tt ]|[-_]?[Sst]?(?=\d{6})|(?=\d{4}))(?P<H>\d\d)[:-]?(?P<M>\d\d)"
    r"(?:[:-]?(?P<S>\d\d)\d?)?Z?"
)
_EXPRESSIONS = tuple(
    map(
        re.compile,
        (
            rf"\A{_DAY}[-_.](?P<H>\d\d)[-_]?(?P<M>\d\d)Z?\Z",
            rf"\A{_DAY_OF_YEAR}[-_.](?P<H>\d\d)[-_]?(?P<M>\d\d)Z?\Z",
            rf"(?<![0-9A-Za-z])s(?P<Y>\d{{4}})(?P<j>\d{{3}}){_HMS}\d(?!\d)",
            r"(?<![0-9A-Za-z])[A-Z](?P<Y>\d{4})(?P<j>\d{3})\d{7}(?!\d)",
            rf"{_DAY}(?:{_CLOCK})?(?!\d)",
            rf"{_DAY_OF_YEAR}(?!\d)",
            rf"{_Y}[-_.]?(?P<m>\d\d)[-_]?[dD](?:[eE]?[kK])?(?P<k>[1-3])(?!\d)",
            rf"{_Y}[-_]?[dD](?:[eE]?[kK])?(?P<D>\d\d?)(?!\d)",
            rf"{_Y}-?W(?P<w>\d\d)(?!\d)",
            rf"{_Y}[-_./]?(?P<m>\d\d)(?!\d)",
            rf"{_Y}[-_]?[Qq](?P<q>[1-4])(?!\d)",
            r"\A(?P<Y>\d{4})\Z",
        ),
    )
)
"""From the most to the least precise; four digits alone tell a time of day in a whole text only."""


def time_in(path: str, pattern: str | None) -> np.datetime64 | None:
    """Return the time in a path: what `time_pattern` finds, else its name, else its folders."""
    if pattern is not None:
        match = re.search(pattern, path)
        return time_of(match["time"]) if match and match["time"] else None
    found = time_of(Path(path).name)
    return found if found is not None else time_of("/".join(Path(path).parts[-4:-1]))


def time_of(text: str) -> np.datetime64 | None:
    """Return the start of the most precise time in a text, of several the first."""
    for expression in _EXPRESSIONS:
        for match in expression.finditer(text):
            numbers = {key: int(part) for key, part in match.groupdict().items() if part and part.isdigit()}
            found = _start(numbers) if 1850 <= numbers["Y"] <= 2100 else None
            if found is not None:
                return np.datetime64(found, "ns")
    return None


def _start(numbers: Mapping[str, int]) -> datetime | None:
    year, dekad = numbers["Y"], numbers.get("D", 1) - 1
    month = numbers.get("m", 3 * numbers["q"] - 2 if "q" in numbers else dekad // 3 + 1)
    try:
        if "w" in numbers:
            day = date.fromisocalendar(year, numbers["w"], 1)
        elif "j" in numbers:
            day = date(year, 1, 1) + timedelta(numbers["j"] - 1)
        else:
            day = date(year, month, numbers.get("d", 10 * numbers.get("k", dekad % 3 + 1) - 9))
        clock = time(numbers.get("H", 0), numbers.get("M", 0), numbers.get("S", 0))
    except ValueError:
        return None
    return datetime.combine(day, clock) if "w" in numbers or day.year == year else None
