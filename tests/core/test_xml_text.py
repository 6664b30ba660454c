"""XML from outside: refused documents; no entity is ever read."""

import pytest

from chronotile.core.errors import InvalidParameter
from chronotile.core.xml_text import MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, local_name, parse_xml

BOMB = b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'


def nested(depth):
    return b"<a>" * depth + b"</a>" * depth


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "not well-formed"),
        (b"<a>", "not well-formed"),
        (b"<a>&b;</a>", "not well-formed"),
        (b'<?xml version="1.0" encoding="nothing"?><a/>', "not well-formed"),
        (BOMB, "document type"),
        (BOMB.decode().encode("utf-16"), "document type"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>', "document type"),
        (b"<!DOCTYPE a [" + b"not even read", "document type"),
        (b"<a>" + b" " * MAX_BYTES + b"</a>", "bytes"),
        (b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>", "elements"),
        (nested(MAX_DEPTH + 1), "deep"),
    ],
)
def test_a_document_is_refused_with_the_reason_and_the_parameter(document, why):
    with pytest.raises(InvalidParameter, match=f"^the request cannot be used: .*{why}") as caught:
        parse_xml(document, what="the request", locator="body")

    assert caught.value.locator == "body"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_document_of_any_encoding_becomes_a_tree_without_comments(encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><p:a xmlns:p="urn:p"><!-- no --><p:b>é</p:b><?no no?></p:a>'

    root = parse_xml(text.encode(encoding), what="the request")

    assert [local_name(each) for each in root.iter()] == ["a", "b"]
    assert root[0].text == "é"


def test_a_document_at_the_limits_is_read():
    assert len(list(parse_xml(nested(MAX_DEPTH), what="the request").iter())) == MAX_DEPTH
