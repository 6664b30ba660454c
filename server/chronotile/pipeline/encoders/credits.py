"""Attribution and licence of data in files."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Credited(Protocol):
    """A layer or a collection."""

    @property
    def attribution(self) -> str | None:
        """Text that names the authors of the data."""

    @property
    def license(self) -> str | None:
        """Terms under which the data may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Attribution and licence of the data in a file."""

    attribution: str | None = None
    license: str | None = None

    @classmethod
    def from_layers(cls, layers: Iterable[Credited], collection: Credited | None = None) -> "Credits":
        """Return the credits of layers without duplicates; a layer without credits has those of its collection."""
        listed = list(layers)
        usual = cls() if collection is None else collection
        return cls(
            attribution=_join_distinct(layer.attribution or usual.attribution for layer in listed),
            license=_join_distinct(layer.license or usual.license for layer in listed),
        )

    @property
    def texts(self) -> dict[str, str]:
        """Texts that are not empty, by their name in files."""
        both = {"attribution": self.attribution, "license": self.license}
        return {name: text for name, text in both.items() if text}


def _join_distinct(texts: Iterable[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(text for text in texts if text)) or None
