"""Text and names that XML can hold."""

import re

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 §2.2 does not allow."""

_NOT_NAME = re.compile(r"[^A-Za-z0-9._-]|^[0-9.-]|_(?=x[0-9A-F]{4,6}_)")

_ESCAPED = re.compile(r"_x([0-9A-F]{4,6})_")

_LAST_CHARACTER = 0x10FFFF


def xml_characters(text: str) -> str:
    """Return a text without characters that XML does not allow."""
    return _NOT_XML.sub("", text)


def xml_name(name: str) -> str:
    """Return a name as an NCName: `_xHHHH_`, with its code, replaces each character that is not allowed there."""
    return _NOT_NAME.sub(lambda match: f"_x{ord(match[0]):04X}_", name)


def plain_name(name: str) -> str:
    """Return the name that `xml_name` has converted."""
    return _ESCAPED.sub(lambda match: chr(min(int(match[1], 16), _LAST_CHARACTER)), name)
