"""Licences as documents state them: an SPDX identifier, an address, or words."""

import re
from dataclasses import dataclass

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}", re.ASCII)
_NO_SPDX = {"other", "proprietary", "various", "unknown", "none"}
_PAGE = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """A licence; at most one field is set, and none if no licence is stated."""

    spdx: str | None = None
    """Text in the form of an SPDX identifier; STAC 1.1 (`^[\\w\\-\\.\\+]+$`) and Records accept it unchanged."""
    page: str | None = None
    """URL of the licence."""
    words: str | None = None
    """Any other text: `CC BY 4.0`, `MIT OR Apache-2.0`, `Free for all`."""

    @property
    def stac(self) -> str:
        """The member `license` of STAC 1.1."""
        return self.spdx or "other"


def licence_of(text: str | None) -> Licence:
    """Return the licence that a text states."""
    words = (text or "").strip()
    if not words:
        return Licence()
    if _PAGE.fullmatch(words):
        return Licence(page=words)
    if _SPDX.fullmatch(words) and words.lower() not in _NO_SPDX:
        return Licence(spdx=words)
    return Licence(words=words)


def append_licence(description: str, licence: Licence) -> str:
    """Return a CommonMark description, with the licence in words at the end: STAC has no member for it."""
    return description if licence.words is None else f"{description}\n\nLicence: {licence.words}"


def rights_of(licence: Licence, attribution: str | None) -> dict[str, str]:
    """Return `license` and `rights` of a record (OGC 20-004r1 §7): words are rights, an address has a link.

    Args:
        licence: Licence of the data.
        attribution: Credit line of the data.
    """
    words = [text for text in (attribution, licence.words) if text]
    members = {} if licence.spdx is None and licence.page is None else {"license": licence.stac}
    return {**members, **({"rights": "; ".join(words)} if words else {})}
