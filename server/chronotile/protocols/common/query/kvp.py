"""Query parameters of a request, and checks of their names."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NoReturn

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, MissingParameter, UnknownParameter
from chronotile.protocols.common.query.foreign_names import ADDED, ANSWERS, OTHER_NAMES, letters

MAX_COMPARED = 16
NEARNESS = 0.8
"""Minimum similarity (0 to 1, `difflib`) of a misspelt name to a known one."""


class Kvp:
    """The query parameters of a request; names are case-insensitive.

    Raises:
        InvalidParameter: A name appears twice with different values.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        self._spelled: dict[str, str] = {}
        self._repeated: set[str] = set()
        for name, value in pairs:
            if name.lower() in self._values:
                self._repeated.add(name.lower())
            self._spelled.setdefault(name.lower(), name)
            if self._values.setdefault(name.lower(), value) != value:
                message = f"{name[:MAX_SHOWN]} is repeated with different values"
                raise InvalidParameter(message, locator=name[:MAX_SHOWN])

    @property
    def is_empty(self) -> bool:
        """Whether the query has no parameters."""
        return not self._values

    def __contains__(self, name: str) -> bool:
        """Whether the query has the parameter, even empty."""
        return name.lower() in self._values

    def replace(self, name: str, value: str) -> "Kvp":
        """Return a copy with one parameter set."""
        return Kvp({**self._values, name.lower(): value}.items())

    def optional(self, name: str) -> str | None:
        """Return a value, or `None` if it is missing or empty."""
        return self._values.get(name.lower(), "").strip() or None

    def select(self, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return the parameters of these names that are not empty."""
        return tuple((name, text) for name in names if (text := self.optional(name)) is not None)

    def check_not_repeated(self, names: Iterable[str]) -> None:
        """Refuse a parameter that appears twice, even with the same value.

        Raises:
            InvalidParameter: A name is repeated.
        """
        for name in names:
            if name.lower() in self._repeated:
                raise InvalidParameter(f"{name} is repeated; it is accepted once", locator=name)

    def refuse(self, names: Iterable[str], *, instead: str) -> None:
        """Refuse foreign names of a parameter, and suggest ours.

        Args:
            names: Foreign names.
            instead: Our name, for the message.

        Raises:
            UnknownParameter: The query has one.
        """
        for name in names:
            if name in self:
                self._refuse(name, instead)

    def check_names(self, names: Collection[str]) -> None:
        """Refuse unknown names, except names that clients add to any URL (`ADDED`).

        Raises:
            UnknownParameter: A name is unknown; the message suggests a similar one.
        """
        self.check_spelling(names)
        for name in self._unknown(names):
            if ADDED.fullmatch(name) is None:
                accepted = f"accepted are {', '.join(dict.fromkeys(names))}" if names else "there are none"
                spelling = self._spelled[name][:MAX_SHOWN]
                answer = ANSWERS.get(letters(spelling), accepted)
                raise UnknownParameter(f"{spelling} is not a parameter here; {answer}", locator=spelling)

    def check_spelling(self, names: Collection[str]) -> None:
        """Refuse misspelled and foreign names; other unknown names are ignored.

        Raises:
            UnknownParameter: An unknown name, among the first `MAX_COMPARED`, is misspelled or foreign.
        """
        for name, meant in self._slips(names):
            self._refuse(name, meant)

    def slip_warnings(self, names: Collection[str]) -> list[str]:
        """Return Warning headers (RFC 7234 §5.5) about misspelled or foreign names, which are ignored."""
        slips = ((re.sub(r"[^\w-]", "", name[:MAX_SHOWN], flags=re.ASCII), meant) for name, meant in self._slips(names))
        return [f'199 - "{name} is not a parameter here and is ignored; {meant} is one"' for name, meant in slips]

    def _slips(self, names: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield misspelled and foreign names, each with the parameter that it means."""
        unknown = self._unknown(names)
        if not unknown:
            return
        spelled = {name.lower(): name for name in names}
        foreign = {alias: name for name, aliases in OTHER_NAMES.items() if name in spelled for alias in aliases}
        plain = {letters(name): name for name in spelled}
        for name in unknown[:MAX_COMPARED]:
            short = letters(name[:MAX_SHOWN])
            meant = foreign.get(short) or plain.get(short)
            near = [meant] if meant else difflib.get_close_matches(name[:MAX_SHOWN], spelled, n=1, cutoff=NEARNESS)
            if near:
                yield self._spelled[name], spelled[near[0]]

    def _unknown(self, names: Collection[str]) -> list[str]:
        spelled = {name.lower() for name in names}
        return [name for name in self._values if name not in spelled]

    def _refuse(self, name: str, instead: str) -> NoReturn:
        spelling = self._spelled[name.lower()][:MAX_SHOWN]
        raise UnknownParameter(f"{spelling} is not a parameter here; use {instead}", locator=spelling)

    def require(self, name: str, *, accepted: str = "") -> str:
        """Return a required value.

        Args:
            name: Name of the parameter.
            accepted: Accepted values in words, for the message if it is missing.

        Raises:
            MissingParameter: It is missing or empty.
        """
        value = self.optional(name)
        if value is None:
            raise MissingParameter(f"{name} is missing{accepted and f'; it is {accepted}'}", locator=name)
        return value


def last_of_each(pairs: Iterable[tuple[str, str]]) -> Kvp:
    """Return the parameters; the last value of a repeated one counts, as some clients append theirs to a URL."""
    return Kvp({name.lower(): (name, value) for name, value in pairs}.values())
