"""Links in documents of any protocol, and addresses in texts."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urljoin

from lxml import etree, html

from tests.walk.address import BASE, Address

IN_TEXT = re.compile(
    r"(?<!POST )(?<!PUT )(?<!PATCH )(?<!DELETE )" + re.escape(BASE) + r"""(?=[/?#"'\s]|$)[^\s"'<>\\`]*"""
)
XLINK = "{http://www.w3.org/1999/xlink}href"
ATTRIBUTES = ("href", "src", "action", "data-src", "poster")
COMMANDS = ("curl -d ", "curl -X ")


def in_json(document: Any, url: str, place: str = "$") -> Iterator[Address]:
    """Yield the links of a JSON document, and the addresses in its texts."""
    if isinstance(document, Mapping):
        href = document.get("href")
        if isinstance(href, str):
            yield _link(document, urljoin(url, href), url, place)
        for name, value in document.items():
            if name != "href" or not isinstance(value, str):
                yield from in_json(value, url, f"{place}.{name}")
    elif isinstance(document, list):
        for value in document:
            yield from in_json(value, url, f"{place}[]")
    elif isinstance(document, str):
        for found in in_text(document):
            yield Address(url=found, origin=url, how=place, is_template="{" in found)


def _link(link: Mapping[str, Any], href: str, url: str, place: str) -> Address:
    return Address(
        url=href,
        media_type=link.get("type"),
        method=link.get("method", "GET"),
        body=link.get("body", {} if link.get("method") == "POST" else None),
        merges=bool(link.get("merge")),
        origin=url,
        how=f"{place} {link.get('rel', '')}",
        is_template=bool(link.get("templated")) or "{" in href,
    )


def in_text(text: str) -> list[str]:
    """Return the addresses of the server in a text, without punctuation at their end."""
    return [_without_end(each) for each in IN_TEXT.findall(text)] if BASE in text else []


def _without_end(found: str) -> str:
    found = found.rstrip(".,;:")
    return found[:-1] if found.endswith(")") and found.count(")") > found.count("(") else found


def in_html(content: bytes, url: str) -> Iterator[Address]:
    """Yield the links and resources of a page, and the addresses in its text."""
    page = html.document_fromstring(content)
    for element in page.iter(etree.Element):
        for name in ATTRIBUTES:
            href = element.get(name)
            if href and not href.startswith(("data:", "mailto:", "javascript:")) and element.tag != "base":
                told = element.get("type") if element.tag == "link" else None
                place = f"{element.tag}/@{name}"
                yield Address(url=urljoin(url, href), media_type=told, origin=url, how=place, is_template="{" in href)
    for text in page.itertext():
        if text.strip().startswith(COMMANDS):
            yield from _posted(text, url)
            continue
        for found in in_text(text):
            if "{" not in found:  # a page shows this for an operation without an example
                yield Address(url=found, origin=url, how="text")


def _posted(command: str, url: str) -> Iterator[Address]:
    """Yield the address to which a command posts, except for commands that replace or change anything."""
    _curl, *options, body, address = shlex.split(command)
    if options == ["-d"] and "{" not in address:
        yield Address(url=address, method="POST", body=json.loads(body), origin=url, how="curl")


OPTIONAL = re.compile(r"[?&]\w+=\{[^{}]*\?\}")
"""A parameter of a template of OpenSearch."""


def in_xml(root: etree._Element, url: str) -> Iterator[Address]:
    """Yield the references of an XML document, except bases of requests, which end with `?`."""
    for element in root.iter(etree.Element):
        tag = etree.QName(element).localname
        if tag == "Url" and "template" in element.attrib:  # OpenSearch, whose parameters may be left out
            plain = OPTIONAL.sub("", element.get("template"))
            yield Address(url=urljoin(url, plain), media_type=element.get("type"), origin=url, how=tag)
            continue
        href = element.get(XLINK) or element.get("href")
        told = element.get("type") if element.get("href") else element.get("format") or _format_beside(element)
        if href and not href.endswith("?"):
            yield Address(url=urljoin(url, href), media_type=told, origin=url, how=tag)
        for text in (element.text or "", *map(unquote, element.attrib.values())):
            for found in in_text(text):
                if not unquote(href or "").startswith(found) and not found.endswith("?"):
                    yield Address(url=found, origin=url, how=tag, is_template="{" in found)


def _format_beside(element: etree._Element) -> str | None:
    """Return the format that WMS gives before an online resource."""
    before = element.getprevious()
    return before.text if before is not None and etree.QName(before).localname == "Format" else None


def ids_of(content: bytes) -> set[str]:
    """Return the possible fragments of a page's address."""
    return {each.get("id") for each in html.document_fromstring(content).iter(etree.Element)} - {None}
