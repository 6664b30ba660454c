"""Names and foreign texts on one line."""


def printable(text: str) -> str:
    r"""Return a text with escapes for characters no line can have: `\n`, and `\xf6` for a byte that is not UTF-8."""
    return text if text.isprintable() else "".join(map(_escape, text))


def is_unicode(name: str) -> bool:
    """Return whether a file name is text; the system returns other bytes as lone surrogates (PEP 383)."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _escape(letter: str) -> str:
    if letter.isprintable():
        return letter
    byte = ord(letter) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else letter.encode("unicode_escape", "surrogatepass").decode()
