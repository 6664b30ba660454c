"""Licences as documents state them: by an SPDX identifier, by an address, or in words."""

import re
from dataclasses import dataclass

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}", re.ASCII)
_NO_SPDX = {"other", "proprietary", "various", "unknown", "none"}
_PAGE = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """A licence; all are `None` where none is known."""

    spdx: str | None = None
    """What has the form of an SPDX identifier, which STAC 1.1 (`^[\\w\\-\\.\\+]+$`) and Records take as it is."""
    page: str | None = None
    """Its address."""
    words: str | None = None
    """Anything else: `CC BY 4.0`, `MIT OR Apache-2.0`, `Free for all`."""

    @property
    def stac(self) -> str:
        """What STAC 1.1 has as `license`."""
        return self.spdx or "other"


def licence_of(text: str | None) -> Licence:
    """Return the licence that a text states."""
    stated = (text or "").strip()
    if not stated:
        return Licence()
    if _PAGE.fullmatch(stated):
        return Licence(page=stated)
    if _SPDX.fullmatch(stated) and stated.lower() not in _NO_SPDX:
        return Licence(spdx=stated)
    return Licence(words=stated)


def with_licence(description: str, licence: Licence) -> str:
    """Return a description in CommonMark that ends with a licence in words, for which STAC has no member."""
    return description if licence.words is None else f"{description}\n\nLicence: {licence.words}"


def rights_of(licence: Licence, attribution: str | None) -> dict[str, str]:
    """Return `license` and `rights` of a record (OGC 20-004r1 §7): words are rights, an address has a link.

    Args:
        licence: Under which it may be used.
        attribution: Who has to be named.
    """
    words = [each for each in (attribution, licence.words) if each]
    known = {} if licence.spdx is None and licence.page is None else {"license": licence.stac}
    return {**known, **({"rights": "; ".join(words)} if words else {})}
