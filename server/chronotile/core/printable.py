"""Names and foreign texts as one line holds them."""


def printable(text: str) -> str:
    r"""Return a text with escapes for what no line can hold: `\n`, and `\xf6` for a byte that is not UTF-8."""
    return text if text.isprintable() else "".join(map(_escape, text))


def is_unicode(name: str) -> bool:
    """Return whether the name of a file is text: the system gives other bytes as lone surrogates (PEP 383)."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _escape(letter: str) -> str:
    if letter.isprintable():
        return letter
    byte = ord(letter) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else letter.encode("unicode_escape", "surrogatepass").decode()
