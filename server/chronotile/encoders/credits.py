"""Whom the files of answers name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Credited(Protocol):
    """A layer or a collection."""

    @property
    def attribution(self) -> str | None:
        """Whom to name."""

    @property
    def license(self) -> str | None:
        """Under which terms it may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Whom files name."""

    attribution: str | None = None
    license: str | None = None

    @classmethod
    def of(cls, layers: Iterable[Credited], collection: Credited | None = None) -> "Credits":
        """Return the credits of some layers, each once; where a layer has none, those of its collection."""
        listed = list(layers)
        usual = cls() if collection is None else collection
        return cls(
            attribution=_each_once(each.attribution or usual.attribution for each in listed),
            license=_each_once(each.license or usual.license for each in listed),
        )

    @property
    def texts(self) -> dict[str, str]:
        """What there is of them, by the name that files give it."""
        both = {"attribution": self.attribution, "license": self.license}
        return {name: text for name, text in both.items() if text}


def _each_once(texts: Iterable[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(text for text in texts if text)) or None
