"""Whom the files of answers name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Whom files name."""

    attribution: str | None = None
    license: str | None = None

    @property
    def told(self) -> dict[str, str]:
        """What there is of them, by the name that files give it."""
        both = {"attribution": self.attribution, "license": self.license}
        return {name: text for name, text in both.items() if text}
