"""XML from clients, limited in size and depth before it becomes a tree."""

from xml.parsers import expat

from lxml import etree

from chronotile.core.errors import InvalidParameter

MAX_BYTES = 262_144
MAX_ELEMENTS = 16_384
"""Maximum per document; without a limit, 60,000 elements would be possible and take half a second."""
MAX_DEPTH = 64
"""Maximum nesting of elements."""


def parse_xml(document: bytes, *, what: str, locator: str | None = None, max_bytes: int = MAX_BYTES) -> etree._Element:
    """Parse a document, and return its root without comments and processing instructions.

    Expat reads it first and stops at the first refused content, before any entity is declared.

    Args:
        document: Bytes of the document.
        what: Name of the document in messages, such as "the SLD".
        locator: Name of the parameter.
        max_bytes: Maximum size, less than lxml's limit of ten million per text.

    Raises:
        InvalidParameter: It exceeds `max_bytes`, `MAX_ELEMENTS` or `MAX_DEPTH`, has a document type, or is not XML.
    """
    try:
        return _parse(document, max_bytes)
    except (etree.XMLSyntaxError, expat.ExpatError, LookupError) as error:
        why, cause = "it is not well-formed XML", error
    except ValueError as error:
        why, cause = str(error), error
    raise InvalidParameter(f"{what} cannot be used: {why}", locator=locator) from cause


def _parse(document: bytes, max_bytes: int) -> etree._Element:
    if len(document) > max_bytes:
        raise ValueError(f"it has {len(document)} bytes; at most {max_bytes} are read")
    _check(document)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(document, parser)


def _check(document: bytes) -> None:
    """Raise ValueError if a document exceeds a limit."""
    checker = expat.ParserCreate()
    count = depth = 0

    def refuse_document_type(*_declared: object) -> None:
        raise ValueError("it has a document type, which is not supported")

    def begin(_name: str, _attributes: object) -> None:
        nonlocal count, depth
        count, depth = count + 1, depth + 1
        if count > MAX_ELEMENTS:
            raise ValueError(f"it has more than {MAX_ELEMENTS} elements")
        if depth > MAX_DEPTH:
            raise ValueError(f"its elements lie more than {MAX_DEPTH} deep in one another")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    checker.StartDoctypeDeclHandler = refuse_document_type
    checker.StartElementHandler, checker.EndElementHandler = begin, end
    checker.Parse(document, True)


def local_name(element: etree._Element) -> str:
    """Return the name of an element without its namespace."""
    name: str = etree.QName(element).localname
    return name
