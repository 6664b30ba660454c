"""References as a JSON document: which bytes of which file each key of a Zarr store has."""

import base64
import binascii
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from chronotile.errors import UnsupportedSource
from chronotile.readers.zarr.references.expressions import Value, render

MAX_DOCUMENT_BYTES = 64 << 20
MAX_REFERENCES = 1_000_000
"""Of one document, those that `gen` stands for included."""

REMEDY = "write the references as Parquet, of which a part is read at a time"


class ByteRange(NamedTuple):
    """A part of a file."""

    address: str
    offset: int
    size: int | None
    """`None`: the whole file."""


Entry = bytes | ByteRange


def read_references(document: bytes) -> dict[str, Entry]:
    """Return what each key has: bytes in the document itself, or a part of a file.

    Args:
        document: JSON of version 0 (keys alone) or 1 (`refs`, `templates`, `gen`).

    Raises:
        UnsupportedSource: It is none, or has too many references.
    """
    try:
        found = json.loads(document)
        return _entries(found if "refs" in found or "gen" in found else {"refs": found})
    except UnsupportedSource:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise UnsupportedSource(
            "it holds no references of kerchunk: a JSON document with the key refs is required"
        ) from error


def _entries(document: Mapping[str, Any]) -> dict[str, Entry]:
    templates: dict[str, Value] = {str(name): str(text) for name, text in (document.get("templates") or {}).items()}
    written = document.get("refs") or {}
    generators = document.get("gen") or []
    count = len(written) + sum(math.prod(map(_length, each["dimensions"].values())) for each in generators)
    if count > MAX_REFERENCES:
        raise UnsupportedSource(f"at most {MAX_REFERENCES} references in a JSON document, {count} found; {REMEDY}")
    rendered: dict[str, str] = {}
    entries = {key: _entry(each, templates, rendered) for key, each in written.items()}
    for each in generators:
        entries.update(_generated(each, templates))
    return entries


def _entry(written: object, templates: Mapping[str, Value], rendered: dict[str, str]) -> Entry:
    """What a reference says; `rendered` has the addresses that are known."""
    if isinstance(written, str):
        return _inline(written)
    if isinstance(written, dict):
        return json.dumps(written).encode()
    if isinstance(written, list) and len(written) in {1, 3} and isinstance(written[0], str):
        address = rendered.get(written[0])
        if address is None:
            address = rendered[written[0]] = render(written[0], templates)
        return _range(address, *written[1:])
    raise ValueError


def _inline(text: str) -> bytes:
    if not text.startswith("base64:"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("base64:"), validate=True)
    except binascii.Error as error:
        raise UnsupportedSource("a reference has data that are not valid base64") from error


def _range(address: str, offset: int = 0, size: int | None = None) -> ByteRange:
    if type(offset) is not int or offset < 0 or (size is not None and (type(size) is not int or size < 0)):
        raise UnsupportedSource(f"a reference has offset {offset!r} and size {size!r}; whole numbers are required")
    return ByteRange(address, offset, size)


def _length(values: Sequence[Value] | Mapping[str, int]) -> int:
    return len(_values(values))


def _values(values: Sequence[Value] | Mapping[str, int]) -> Sequence[Value]:
    if isinstance(values, Mapping):
        return range(values.get("start", 0), values["stop"], values.get("step", 1))
    if not isinstance(values, list) or not all(isinstance(each, str | int) for each in values):
        raise ValueError
    return values


def _generated(generator: Mapping[str, Any], templates: Mapping[str, Value]) -> Iterator[tuple[str, Entry]]:
    """The references of all combinations of a generator's dimensions."""
    if ("offset" in generator) != ("length" in generator):
        raise UnsupportedSource("an entry of gen has one of offset and length; both or neither are required")
    dimensions = generator["dimensions"]
    for values in product(*map(_values, dimensions.values())):
        names = {**templates, **dict(zip(dimensions, values, strict=True))}
        place = [int(render(str(generator[key]), names)) for key in ("offset", "length") if key in generator]
        yield render(generator["key"], names), _range(render(generator["url"], names), *place)
