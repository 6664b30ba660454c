"""Dates in names of files and descriptions of bands, parsed independently of the readers."""

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
            rf"\A{_DAY}[-_.]?(?P<H>\d\d)[hHzZ]?\Z",
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
"""From most to least precise. Four digits are a time of day only if the date and the time are the whole text."""


def time_in(path: str, pattern: str | None) -> np.datetime64 | None:
    """Return the time in a path by `time_pattern`, else in its name, else in its folders."""
    if pattern is not None:
        match = re.search(pattern, path)
        groups = match.groupdict() if match else {}
        return _time_of_groups(groups) if groups.get("year") else time_of(groups.get("time") or "")
    instant = time_of(Path(path).name)
    return instant if instant is not None else time_of("/".join(Path(path).parts[-4:-1]))


def _time_of_groups(groups: Mapping[str, str | None]) -> np.datetime64 | None:
    """Return the start of a date from the named groups of an expression."""
    letters = {
        "day_of_year": "j",
        "dekad": "k" if groups.get("month") else "D",
        "hour": "H",
        "minute": "M",
        "second": "S",
    }
    parts = {letters.get(name, name[0]): part for name, part in groups.items() if part and name != "time"}
    numbers = {letter: int(part) for letter, part in parts.items() if part.isdigit()}
    year, lead = parts["y"], numbers.get("l", 0)
    numbers["Y"] = int(year) if len(year) > 2 else int(year) + (1900 if int(year) >= 70 else 2000)
    if groups.get("half"):
        numbers["d"] = 1 if str(groups["half"]).lower() == "a" else 16
    if groups.get("pentad"):
        numbers["d"] = 5 * int(groups["pentad"] or 1) - 4
    start = _start(numbers)
    return None if start is None else np.datetime64(start + timedelta(hours=lead), "ns")


def time_of(text: str) -> np.datetime64 | None:
    """Return the start of the first time in a text, with the most precise expression that matches."""
    for expression in _EXPRESSIONS:
        for match in expression.finditer(text):
            numbers = {key: int(part) for key, part in match.groupdict().items() if part and part.isdigit()}
            start = _start(numbers) if 1850 <= numbers["Y"] <= 2100 else None
            if start is not None:
                return np.datetime64(start, "ns")
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
