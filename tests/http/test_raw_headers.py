"""Headers in their ASGI form."""

import pytest

from chronotile.http.asgi_headers import declared_bytes


@pytest.mark.parametrize(
    ("declared", "size"),
    [
        (b"0", 0),
        (b"12", 12),
        (b"0" * 18 + b"2000000", 2_000_000),
        (b"0" * 30, 0),
        (b"9" * 40, 10**18 - 1),
        (b"-1", None),
        (b"1e3", None),
        (b"", None),
    ],
)
def test_declared_length_of_a_body(declared, size):
    assert declared_bytes([(b"host", b"a"), (b"content-length", declared)]) == size


def test_a_body_without_a_length_declares_none():
    assert declared_bytes([(b"host", b"a")]) is None
