"""The format of a response: the parameter `f`, or content negotiation with the header Accept."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, NotAcceptable
from chronotile.http.negotiation import MAX_MEMBERS, parse_quality_values
from chronotile.protocols.common.query.kvp import Kvp

NO_ALIASES: Mapping[str, str] = {}


class MediaType(NamedTuple):
    """A media type or media range without its weight, in lower case (RFC 9110 §8.3.1)."""

    name: str
    parameters: Mapping[str, str]

    def takes(self, offered: "MediaType") -> int:
        """Return how specifically this range matches a type; 0 means no match.

        A parameter that the type lacks, such as a character set, is ignored. A different value does not match.
        """
        family = offered.name.partition("/")[0]
        rank = {offered.name: 3, f"{family}/*": 2, "*/*": 1}.get(self.name, 0)
        shared = [
            (offered.parameters[key], value) for key, value in self.parameters.items() if key in offered.parameters
        ]
        return 0 if any(value != range_value for value, range_value in shared) else rank * 10 + len(shared) * bool(rank)


def negotiate_format(
    query: Kvp,
    accept: str,
    offered: Mapping[str, str],
    *,
    aliases: Mapping[str, str] = NO_ALIASES,
    lacking: Collection[str] = (),
) -> str:
    """Return the format name of a request, the first one without a preference.

    Args:
        query: Its `f`, in any case of letters, has priority over the header.
        accept: The header; empty accepts all.
        offered: Media type per format name, preferred first.
        aliases: Format name per other name or media type, in lower case.
        lacking: Format names whose library is not installed: accepted in `f`, never chosen by the header.

    Raises:
        InvalidParameter: `f` is not an offered format.
        NotAcceptable: The header accepts no offered format.
    """
    requested = query.optional("f")
    if requested is not None:
        return _find_format(requested, offered, aliases)
    if not accept.strip():
        return next(iter(offered))
    ranges = list(_ranges(accept))
    types = [*((media_type, name) for name, media_type in offered.items())]
    types += [(alias, name) for alias, name in aliases.items() if "/" in alias]
    types = [(media_type, name) for media_type, name in types if name not in lacking]
    rated = [(_wish(_media_type(media_type), ranges), name) for media_type, name in types]
    best, name = max(rated, key=lambda rating: rating[0])
    if best[0] <= 0:
        listed = ", ".join(dict.fromkeys(offered[name] for _media_type, name in types))
        raise NotAcceptable(f"no media type of Accept is offered here; offered are {listed}, also with f=")
    return name


def _find_format(requested: str, offered: Mapping[str, str], aliases: Mapping[str, str]) -> str:
    spelling = requested.lower()
    types = {media_type.lower(): name for name, media_type in reversed(tuple(offered.items()))}
    names: dict[str, str] = {**types, **aliases, **{name.lower(): name for name in offered}}
    # A plus sign in a query is decoded as a blank.
    for spelled in (spelling, spelling.replace(" ", "+")):
        if spelled in names:
            return names[spelled]
    raise InvalidParameter(f"f {requested[:MAX_SHOWN]!r} is not accepted; use {', '.join(offered)}", locator="f")


def _ranges(accept: str) -> Iterator[tuple[MediaType, float]]:
    for member in accept.split(",", MAX_MEMBERS)[:MAX_MEMBERS]:
        for _name, weight in parse_quality_values(member):
            yield _media_type(member), weight


def _media_type(text: str) -> MediaType:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    return MediaType(name, {key: value.strip('"') for key, _equals, value in pairs if key != "q"})


def _wish(offered: MediaType, ranges: list[tuple[MediaType, float]]) -> tuple[float, int]:
    # Weight and specificity: the most specific matching range decides (RFC 9110 §12.5.1).
    matches = ((media_range.takes(offered), weight) for media_range, weight in ranges)
    narrowness, weight = max(matches, default=(0, 0.0))
    return (weight, narrowness) if narrowness else (0.0, 0)
