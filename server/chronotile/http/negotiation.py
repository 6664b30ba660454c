"""Content negotiation (RFC 9110 §12.5): the media type, language and encoding that a client prefers.

Protocols decide with it: `negotiate_format` of OGC API, `negotiate_format` of time series, and `negotiate_language`.
"""

import re
from collections.abc import Sequence

MAX_MEMBERS = 50
"""Members of an `Accept` header that are parsed."""
MAX_SUBTAGS = 8
"""Parts of a language range that are compared; no offered language has more."""
_QUALITY = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def parse_quality_values(header: str) -> list[tuple[str, float]]:
    """Return the members of a header in lower case with their quality (0 to 1), highest first, stable."""
    members: list[tuple[str, float]] = []
    for member in header.split(",")[:MAX_MEMBERS]:
        value, *parameters = (part.strip() for part in member.split(";"))
        qualities = [match[1] for parameter in parameters if (match := _QUALITY.fullmatch(parameter))]
        if value:
            members.append((value.lower(), float(qualities[0]) if qualities else 1.0))
    return sorted(members, key=lambda member: -member[1])


def preferred_type(header: str, offered: Sequence[str]) -> str:
    """Return the offered media type of the highest quality; of equal ones, or if none is accepted, the first."""
    qualities = dict(reversed(parse_quality_values(header)))

    def quality(media_type: str) -> float:
        family = media_type.partition("/")[0]
        for pattern in (media_type, f"{family}/*", "*/*"):
            if pattern in qualities:
                return qualities[pattern]
        return 0.0

    return max(offered, key=quality)


def accepts_gzip(header: str) -> bool:
    """Return whether gzip has a quality above 0 and not below that of `identity` (RFC 9110 §12.5.3).

    `x-gzip` is another name of it (§8.4.1.3). A client that accepts nothing gets `identity`.
    """
    qualities = dict(reversed(parse_quality_values(header)))
    default = qualities.get("*", 0.0)
    gzip = max((qualities[name] for name in ("gzip", "x-gzip") if name in qualities), default=default)
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def preferred_language(header: str, offered: Sequence[str]) -> str:
    """Return the offered language of the highest quality (RFC 4647 §3.4); the first one if none is accepted."""
    for language_range, quality in parse_quality_values(header):
        language = offered_language(language_range, offered) if quality > 0 else None
        if language is not None:
            return language
    return offered[0]


def offered_language(language_range: str, offered: Sequence[str]) -> str | None:
    """Return the offered language with the longest common beginning in whole subtags, such as `nl` for `nl-BE`."""
    languages = {language.lower(): language for language in offered}
    parts = language_range.lower().split("-", MAX_SUBTAGS)[:MAX_SUBTAGS]
    for length in range(len(parts), 0, -1):
        language = languages.get("-".join(parts[:length]))
        if language is not None:
            return language
    return None
