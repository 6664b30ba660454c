"""What a client would rather have: the headers Accept, Accept-Encoding and Accept-Language (RFC 9110 §12.5)."""

import re
from collections.abc import Sequence

MAX_MEMBERS = 50
MAX_SUBTAGS = 8
"""Parts of a language range that are looked at: no language that is offered has more."""
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def parse_weights(header: str) -> list[tuple[str, float]]:
    """Return the members of a header in lower case with their weights, the highest first; of equals as they came."""
    members: list[tuple[str, float]] = []
    for member in header.split(",")[:MAX_MEMBERS]:
        value, *parameters = (part.strip() for part in member.split(";"))
        weights = [found[1] for parameter in parameters if (found := _WEIGHT.fullmatch(parameter))]
        if value:
            members.append((value.lower(), float(weights[0]) if weights else 1.0))
    return sorted(members, key=lambda member: -member[1])


def preferred_type(header: str, offered: Sequence[str]) -> str:
    """Return the media type a client likes best; the first one offered where it likes several equally, or none."""
    members = dict(reversed(parse_weights(header)))

    def weight(media_type: str) -> float:
        family = media_type.partition("/")[0]
        for pattern in (media_type, f"{family}/*", "*/*"):
            if pattern in members:
                return members[pattern]
        return 0.0

    return max(offered, key=weight)


def takes_gzip(header: str) -> bool:
    """Return whether a client takes gzip and would not rather have what is not compressed (RFC 9110 §12.5.3).

    `x-gzip` is another name of it (§8.4.1.3). Where nothing is acceptable that could be sent, `identity` is sent.
    """
    weights = dict(reversed(parse_weights(header)))
    others = weights.get("*", 0.0)
    gzip = max((weights[name] for name in ("gzip", "x-gzip") if name in weights), default=others)
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def preferred_language(header: str, offered: Sequence[str]) -> str:
    """Return the language a client likes best (RFC 4647 §3.4 lookup), the first one offered where it likes none."""
    for language_range, weight in parse_weights(header):
        found = offered_language(language_range, offered) if weight > 0 else None
        if found is not None:
            return found
    return offered[0]


def offered_language(language_range: str, offered: Sequence[str]) -> str | None:
    """Return the language that `language_range` or, part by part, its beginning names: `nl-BE` finds `nl`."""
    known = {language.lower(): language for language in offered}
    parts = language_range.lower().split("-", MAX_SUBTAGS)[:MAX_SUBTAGS]
    for length in range(len(parts), 0, -1):
        found = known.get("-".join(parts[:length]))
        if found is not None:
            return found
    return None
