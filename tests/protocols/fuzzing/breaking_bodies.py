"""Bodies with defects: broken JSON, forms and XML, and arbitrary bytes."""

import gzip
import json
import random
from copy import deepcopy
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from lxml import etree

from tests.protocols.fuzzing.request import Request
from tests.protocols.fuzzing.valid import COLOURS
from tests.protocols.fuzzing.valid_bodies import FORM, XML
from tests.protocols.fuzzing.values import LONG, TIMES, VALUES

MARK = "@@@"
"""Marks the position of a text that `json` would not write."""
RAW_JSON = (
    "[" * 5000 + "]" * 5000, '{"a":' * 900 + "1" + "}" * 900, "1e400", "-1e400", "1" * 5000, "-0", "0.1e-5000", "NaN",
    "-Infinity", '"\\ud800"', '"\\u0000"', '"\\uffff\\u202e"', "01", "+1", "tru", "'a'", '{"a":1,"a":2}', "/**/1", "",
)  # fmt: skip
LITERALS: tuple[Any, ...] = (
    None, True, False, 0, -1, 0.5, 1e308, 2**63, -(2**63), 2**64, 10**30, 181, 91, "", [], {}, [[]], [None], [[None]],
    [0, 0], [0, 0, 0], [4.6, 50.85], [[4.6, 50.85]] * 3, [[4.6, 50.85]] * 3000, {"type": "Point"}, {"type": []},
    {"type": "Polygon", "coordinates": []}, {"type": "Polygon", "coordinates": [[]]},
    {"type": "Polygon", "coordinates": [[[4, 50], [5, 51], [4, 51], [5, 50], [4, 50]]]},
    {"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]},
    {"type": "GeometryCollection", "geometries": []}, {"type": "Feature", "geometry": None, "properties": None},
    {"type": "FeatureCollection", "features": []}, {"href": "file:///etc/passwd"}, {"href": "http://127.0.0.1:1/"},
    {"value": {"value": 1}}, {"bbox": [0, 0, 0, 0]}, {"bbox": [1e308, 1e308, -1e308, -1e308]},
)  # fmt: skip
BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;"><!ENTITY d SYSTEM "file:///etc/passwd">]><a>&c;&d;</a>'
WHOLE = (
    b"", b"\x00", b"null", b"[]", b"{}", b'""', b"1", b"\xff\xfe", b"\xef\xbb\xbf{}", b"POINT(4.6 50.85)",
    b"POLYGON((4 50,5 50,5 51,4 50))", BOMB.encode(), COLOURS.encode(), b"a=b&a=c&%ff=%zz", b"&" * 3000,
    b"a=1&" * 2000, b"<" * 3000, b"[" * 100_000, b"--x\r\n\r\n--x--", gzip.compress(b"{}", mtime=0),
    b'<?xml version="1.0" encoding="utf-16"?><GetMap/>', b'<GetCapabilities xmlns="http://www.opengis.net/wms"/>',
)  # fmt: skip


def break_body(request: Request, chance: random.Random) -> Request:
    """Return the request with another body, or the same one otherwise packed."""
    die = chance.random()
    if die < 0.1:
        return replace(request, body=chance.choice(WHOLE))
    if die < 0.25:
        return replace(request, body=_edited(request.body, chance))
    if die < 0.35:
        return _packed(request, chance)
    media_type = dict(request.headers).get("content-type", b"").decode(errors="replace")
    breaker = {FORM: _break_form, XML: _break_xml}.get(media_type, _break_json)
    return replace(request, body=breaker(request.body, chance))


def _break_json(body: bytes, chance: random.Random) -> bytes:
    """Replace, drop, double or rename a node; edit bytes if the body is no longer JSON."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _edited(body, chance)
    raw = chance.choice(RAW_JSON)
    try:
        text = json.dumps(_broken(document, chance, depth=0), ensure_ascii=chance.random() < 0.5)
    except RecursionError:
        return _edited(body, chance)
    return text.replace(f'"{MARK}"', raw).encode(errors="surrogatepass")


def _broken(node: Any, chance: random.Random, *, depth: int) -> Any:
    """Return a node with a part replaced; at greater depth the node itself is more likely to be replaced."""
    children = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    if not children or chance.random() < 0.1 * depth:
        return _other(node, chance)
    key = chance.choice(children)
    copy = dict(node) if isinstance(node, dict) else list(node)
    die = chance.random()
    if die < 0.1:
        del copy[key]
    elif die < 0.2 and isinstance(copy, dict):
        copy[chance.choice(VALUES)] = copy.pop(key)
    elif die < 0.2:
        copy += [copy[key]] * chance.choice((1, 2, 300))
    else:
        copy[key] = _broken(node[key], chance, depth=depth + 1)
    return copy


def _other(node: Any, chance: random.Random) -> Any:
    die = chance.random()
    if die < 0.15:
        return MARK
    if die < 0.3 and isinstance(node, int | float):
        return chance.choice((-node, node * 1e6, node + 1e-12, str(node), [node], 10**15))
    if die < 0.3:
        return chance.choice(([node], {"value": node}, str(node), LONG, str(node) * 20))
    return chance.choice((*LITERALS, *LITERALS, *VALUES, *TIMES[:4]))


def _break_form(body: bytes, chance: random.Random) -> bytes:
    pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    if not pairs:
        return _edited(body, chance)
    place = chance.randrange(len(pairs))
    name, value = pairs[place]
    others = (*VALUES, *TIMES, BOMB, COLOURS.replace("quantity", "q"), COLOURS[: chance.randrange(len(COLOURS))])
    changed = [(name, chance.choice(others)), (chance.choice(VALUES), value), (name, value * 2)]
    return urlencode([*pairs[:place], chance.choice(changed), *pairs[place + 1 :]], errors="surrogatepass").encode()


def _break_xml(body: bytes, chance: random.Random) -> bytes:
    """Empty, drop, double, move or rename an element, change its text or attribute, or add entities."""
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False))
    except etree.XMLSyntaxError:
        return _edited(body, chance)
    element = chance.choice([each for each in root.iter() if isinstance(each.tag, str)])
    others = [each for each in (*VALUES, *TIMES, LONG) if each.isprintable() and "\ufffe" not in each]
    parent, die = element.getparent(), chance.random()
    if die < 0.4:
        element.text = chance.choice(others)
    elif die < 0.6:
        element.set(chance.choice([*element.attrib] or ["version"]), chance.choice(others))
    elif die < 0.65:
        element.tag = chance.choice((etree.QName(element).localname, f"{element.tag}x", "{http://www.w3.org/x}a"))
    elif die < 0.75 or parent is None:
        element.clear()
    elif die < 0.8:
        chance.choice([*root.iter(etree.Element)]).append(deepcopy(element))
    elif die < 0.9:
        parent.remove(element)
    else:
        parent.extend([deepcopy(element) for _ in range(chance.choice((1, 2, 300)))])
    written = etree.tostring(root, encoding=chance.choice(("utf-8", "utf-8", "utf-8", "utf-16", "iso-8859-1", "ascii")))
    return BOMB.partition("<a>")[0].encode() + written if chance.random() < 0.03 else written


def _edited(body: bytes, chance: random.Random) -> bytes:
    """Truncate, double or pad the bytes, insert or replace some, or change the encoding."""
    place = chance.randrange(len(body) + 1)
    piece = chance.choice((b"\x00", b"\xff", b"\xed\xa0\x80", b'"', b"[", b"}", b"<", b"\xe2\x80\xae", b"9" * 400))
    match chance.randrange(6):
        case 0:
            return body[:place]
        case 1:
            return body[:place] + piece + body[place:]
        case 2:
            return body[:place] + piece + body[place + 1 :]
        case 3:
            return body * 2
        case 4:
            return body.decode(errors="replace").encode(chance.choice(("utf-16", "utf-8-sig", "utf-32-le")))
        case _:
            return b" " * 70_000 + body


def _packed(request: Request, chance: random.Random) -> Request:
    """Wrap the body as multipart or form, compress it, or omit its media type."""
    body = request.body
    kept = tuple(each for each in request.headers if each[0] != "content-type")
    part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="../a.json"\r\n\r\n' + body + b"\r\n--x--\r\n"
    headers, packed = chance.choice(
        [
            ((("content-type", b"multipart/form-data; boundary=x"),), part),
            ((("content-type", b"multipart/related; boundary=x"),), part[: chance.randrange(len(part))]),
            ((("content-type", FORM.encode()),), urlencode({"body": body}).encode()),
            ((("content-encoding", b"gzip"),), gzip.compress(body, mtime=0)),
            ((("content-encoding", b"gzip"),), gzip.compress(body, mtime=0)[:10]),
            ((), body),
        ]
    )
    return replace(request, headers=(*kept, *headers), body=packed)
