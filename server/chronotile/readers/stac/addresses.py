"""Addresses in STAC documents, which count from the address of the document."""

import re

from chronotile.errors import InvalidItem
from chronotile.readers.stac.fields import MAX_TEXT
from chronotile.web.item_places import absolute
from chronotile.web.places import is_local

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ACCEPTED = ("http", "https", "s3")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def absolute_address(href: str, base: str) -> str:
    """Return where a link of a document leads: an absolute path, or a URL with http, https or s3.

    Whether it may be opened is for the caller to check.

    Args:
        href: As it is written.
        base: Absolute path or URL of the document.

    Raises:
        InvalidItem: It has another scheme, or leads from the web to files of this machine.
    """
    if len(href) > MAX_TEXT or _CONTROL.search(href):
        raise InvalidItem("an href is longer than 4000 characters or has control characters")
    scheme = _SCHEME.match(href)
    if scheme is not None and not _is_accepted(scheme[0][:-1].lower(), href, base):
        raise InvalidItem(f"an href begins with {scheme[0][:20]}; accepted are s3://, https:// and http://")
    try:
        return absolute(href, base)
    except ValueError as error:
        raise InvalidItem(f"an href is not an address: {error}") from error


def _is_accepted(scheme: str, href: str, base: str) -> bool:
    if scheme == "file":
        return is_local(base) and href[5:8] == "///"
    return scheme in _ACCEPTED and "://" in href
