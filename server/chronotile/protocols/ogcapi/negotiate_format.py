"""The format of an answer: as `f` names it, else as the client's Accept header would have it."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, NotAcceptable
from chronotile.http.negotiation import MAX_MEMBERS, parse_quality_values
from chronotile.protocols.common.query.kvp import Kvp

NO_ALIASES: Mapping[str, str] = {}


class MediaType(NamedTuple):
    """A media type, or a range of them, without its weight, in lower case (RFC 9110 §8.3.1)."""

    name: str
    parameters: Mapping[str, str]

    def takes(self, offered: "MediaType") -> int:
        """Return how specifically this range matches a type, 0 if it does not.

        A parameter that the type lacks, such as a character set, is ignored; one with another value does not match.
        """
        family = offered.name.partition("/")[0]
        rank = {offered.name: 3, f"{family}/*": 2, "*/*": 1}.get(self.name, 0)
        shared = [
            (offered.parameters[key], value) for key, value in self.parameters.items() if key in offered.parameters
        ]
        return 0 if any(have != want for have, want in shared) else rank * 10 + len(shared) * bool(rank)


def negotiate_format(
    query: Kvp,
    accept: str,
    offered: Mapping[str, str],
    *,
    aliases: Mapping[str, str] = NO_ALIASES,
    lacking: Collection[str] = (),
) -> str:
    """Return the name of the format of a request; the first one where it does not say.

    Args:
        query: Whose `f`, in any case, goes before the header.
        accept: The header; empty takes all.
        offered: Media types by the names of formats, the one that is preferred first.
        aliases: Names of formats by other names or media types that stand for them, in lower case.
        lacking: Names of formats whose library is not installed: `f` may name them, the header does not choose them.

    Raises:
        InvalidParameter: `f` is not one of them.
        NotAcceptable: The header takes none of them.
    """
    named = query.optional("f")
    if named is not None:
        return _named(named, offered, aliases)
    if not accept.strip():
        return next(iter(offered))
    ranges = list(_ranges(accept))
    types = [*((media_type, name) for name, media_type in offered.items())]
    types += [(alias, name) for alias, name in aliases.items() if "/" in alias]
    types = [(media_type, name) for media_type, name in types if name not in lacking]
    rated = [(_wish(_media_type(media_type), ranges), name) for media_type, name in types]
    best, name = max(rated, key=lambda each: each[0])
    if best[0] <= 0:
        listed = ", ".join(dict.fromkeys(offered[name] for _media_type, name in types))
        raise NotAcceptable(f"no media type of Accept is offered here; offered are {listed}, also with f=")
    return name


def _named(named: str, offered: Mapping[str, str], aliases: Mapping[str, str]) -> str:
    spelling = named.lower()
    types = {media_type.lower(): name for name, media_type in reversed(tuple(offered.items()))}
    known: dict[str, str] = {**types, **aliases, **{name.lower(): name for name in offered}}
    # A plus sign in a query is a blank once decoded.
    for spelled in (spelling, spelling.replace(" ", "+")):
        if spelled in known:
            return known[spelled]
    raise InvalidParameter(f"f {named[:MAX_SHOWN]!r} is not accepted; use {', '.join(offered)}", locator="f")


def _ranges(accept: str) -> Iterator[tuple[MediaType, float]]:
    """The ranges of a header with their weights."""
    for member in accept.split(",", MAX_MEMBERS)[:MAX_MEMBERS]:
        for _name, weight in parse_quality_values(member):
            yield _media_type(member), weight


def _media_type(text: str) -> MediaType:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    return MediaType(name, {key: value.strip('"') for key, _equals, value in pairs if key != "q"})


def _wish(offered: MediaType, ranges: list[tuple[MediaType, float]]) -> tuple[float, int]:
    # How much a client wants a type, and how narrowly it said so: the narrowest range decides (RFC 9110 §12.5.1).
    narrowness, weight = max(((each.takes(offered), weight) for each, weight in ranges), default=(0, 0.0))
    return (weight, narrowness) if narrowness else (0.0, 0)
