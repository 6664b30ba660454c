"""Types of values that several sections of the configuration use."""

import re
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from chronotile.core.errors import InvalidParameter, UnsupportedCrs, raised_instead
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.sections import Text

PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def join_words(names: Iterable[str], last: str) -> str:
    """Return names as `a, b and c`, with `last` before the last one; empty without names."""
    *first, end = [*names] or [""]
    return f"{', '.join(first)} {last} {end}" if first else end


def _wrap_text(text: object) -> object:
    return {"": text} if isinstance(text, str) else text


def language(tag: str) -> str:
    """Return the tag, or raise `ValueError`; the empty tag stands for any language."""
    if tag and not _LANGUAGE.fullmatch(tag):
        raise ValueError(f"{tag[:20]!r} is not a language; accepted are tags such as en, nl or pt-BR")
    return tag


def _check_crs(name: str) -> str:
    try:
        crs_of(name)
    except UnsupportedCrs as error:
        raise ValueError(
            f"{error.message}; accepted are codes such as EPSG:32631 and CRS:84, WKT and PROJ text"
        ) from error
    return name


def as_time_text(value: object) -> object:
    """Return a bare year, which is a number in YAML, as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_time(text: str) -> str:
    accepted = "2020, 2020-06, 2020-06-01 and 2020-06-01T10:50:00Z"
    with raised_instead(InvalidParameter, ValueError(f"{text[:40]!r} is not a valid time; accepted are {accepted}")):
        parse_instant(text)
    return text


CrsName = Annotated[str, AfterValidator(_check_crs)]
TimeText = Annotated[str, AfterValidator(_check_time), BeforeValidator(as_time_text, json_schema_input_type=str)]
Localised = Annotated[
    dict[Annotated[str, AfterValidator(language)], Text],
    Field(min_length=1),
    BeforeValidator(_wrap_text, json_schema_input_type=str | dict[str, str]),
]
"""A text, or one for each language."""


def _check_link(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable():
        raise ValueError(f"{url[:80]!r} is not an http(s) URL")
    return url


Link = Annotated[Text, AfterValidator(_check_link)]
"""An address that clients follow."""
