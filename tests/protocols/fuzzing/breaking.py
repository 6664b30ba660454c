"""Requests with defects."""

import random
from collections.abc import Iterator
from dataclasses import replace

from tests.protocols.fuzzing.breaking_bodies import break_body
from tests.protocols.fuzzing.request import Request, parse
from tests.protocols.fuzzing.valid import VALID
from tests.protocols.fuzzing.valid_bodies import BODIES
from tests.protocols.fuzzing.values import ANY_HEADER, HEADERS, LONG, TIMES, VALUES

METHODS = ("HEAD", "GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "get")
OF_TIME = {"time", "datetime", "startdate", "enddate"}


def requests(count: int, seed: int, *, of: str = "/") -> Iterator[Request]:
    """Yield requests with one to three defects; a seed always yields the same ones.

    Args:
        count: Number of requests.
        seed: Seed of the random generator.
        of: Prefix of the valid URLs to use.
    """
    chance = random.Random(seed)
    valid = [parse(url) for url in (*VALID, *BODIES) if url.startswith(of)]
    weights = [1 + 2 * len(each.pairs) + len(each.segments) + (8 if each.body else 0) for each in valid]
    for _ in range(count):
        (request,) = chance.choices(valid, weights)
        for _ in range(chance.randint(1, 3)):
            request = mutate(request, chance)
        yield request


def mutate(request: Request, chance: random.Random) -> Request:
    """Return the request with one thing broken."""
    if chance.random() < 0.03:
        return replace(request, method=chance.choice(METHODS))
    if chance.random() < 0.08:
        return _break_header(request, chance)
    if request.body and chance.random() < 0.6:
        return break_body(request, chance)
    breakers = [_break_segment, _break_value] + ([_break_value, _break_structure] * 3 if request.pairs else [])
    return chance.choice(breakers)(request, chance)


def _break_header(request: Request, chance: random.Random) -> Request:
    is_execution = request.segments[-1] == "execution"
    name = "prefer" if is_execution and chance.random() < 0.5 else chance.choice(list(HEADERS))
    value = chance.choice(HEADERS[name] if chance.random() < 0.7 else ANY_HEADER)
    kept = request.headers if chance.random() < 0.1 else tuple(each for each in request.headers if each[0] != name)
    return replace(request, headers=(*kept, (name, value)))


def _break_segment(request: Request, chance: random.Random) -> Request:
    place = chance.randrange(len(request.segments))
    if place == 0 and chance.random() < 0.9:  # the segment selects the protocol
        return request
    segments = list(request.segments)
    stem, dot, extension = segments[place].rpartition(".")
    other = _other(segments[place], chance)
    segments[place] = chance.choice((other, f"{other}{dot}{extension}", f"{stem}{dot}{other}"))
    if chance.random() < 0.1:
        segments.insert(place, other)
    elif chance.random() < 0.1 and len(segments) > 1:
        del segments[place]
    return replace(request, segments=tuple(segments))


def _break_value(request: Request, chance: random.Random) -> Request:
    if not request.pairs:
        return _break_segment(request, chance)
    place = chance.randrange(len(request.pairs))
    name, value = request.pairs[place]
    pairs = list(request.pairs)
    pairs[place] = (name, _other(value, chance, is_time=name.lower() in OF_TIME))
    return replace(request, pairs=tuple(pairs))


def _break_structure(request: Request, chance: random.Random) -> Request:
    """Drop, repeat, rename, swap or move a parameter, or append a text that is no parameter."""
    if not request.pairs:
        return _break_segment(request, chance)
    place, other = chance.randrange(len(request.pairs)), chance.randrange(len(request.pairs))
    pairs = list(request.pairs)
    name, value = pairs[place]
    match chance.randrange(7):
        case 0:
            del pairs[place]
        case 1:
            pairs.append((name.swapcase(), _other(value, chance)))
        case 2:
            pairs[place] = (_edited(name, chance), value)
        case 3:
            pairs[place], pairs[other] = (name, pairs[other][1]), (pairs[other][0], value)
        case 4:
            pairs.append((chance.choice(VALUES), chance.choice(VALUES)))
        case 5:
            pairs[place] = (chance.choice((name.upper(), name.lower(), name.title())), value)
        case _:
            return replace(
                request, tail=chance.choice(("&%ff%fe=%c0%80", "&&&", "&=", "=", "&a", "%", "&%zz=1", ";x=1"))
            )
    return replace(request, pairs=tuple(pairs))


def _other(value: str, chance: random.Random, *, is_time: bool = False) -> str:
    """Return a replacement of a value: hostile, edited or long."""
    die = chance.random()
    if die < 0.02:
        return chance.choice((LONG, LONG * 15, value * 50))
    if die < 0.25:
        return _edited(value, chance)
    if is_time or die < 0.30:
        return chance.choice(TIMES)
    return chance.choice(VALUES)


def _edited(text: str, chance: random.Random) -> str:
    """Insert, remove, double or change a character."""
    place = chance.randrange(len(text) + 1)
    piece = chance.choice("0123456789-+.,:/eE aZ%\x00é\n\ud800")
    return chance.choice(
        (text[:place] + piece + text[place:], text[:place] + text[place + 1 :], text[:place] + piece, text * 2)
    )
