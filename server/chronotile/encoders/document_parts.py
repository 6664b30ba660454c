"""Documents with long lists, in parts of a size that is worth sending."""

from collections.abc import Generator, Iterable, Iterator

LEAST_BYTES = 1 << 16
"""Of a part, unless it is the last."""


def with_list(document: bytes, name: str, members: Iterable[bytes], *, tail: bytes = b"{}") -> Generator[bytes]:
    """Yield a JSON object, one more of whose members is a list, while that is made.

    Args:
        document: The object without that list, with one member or more.
        name: Of the list.
        members: Of the list, each as JSON.
        tail: An object, whose members follow the list.
    """
    yield from join_parts(_parts(document, name, members, tail))


def join_parts(parts: Iterable[bytes]) -> Generator[bytes]:
    """Yield the bytes of parts of a document, joined until they are worth sending."""
    held, size = list[bytes](), 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= LEAST_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _parts(document: bytes, name: str, members: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    yield document[:-1] + f',"{name}":['.encode()
    for number, member in enumerate(members):
        yield b"," + member if number else member
    yield b"]" + (b"," if len(tail) > len(b"{}") else b"") + tail[1:]
