"""Checksums as STAC writes them."""

import hashlib

import pytest

from chronotile.core.checksum import Checksum, checksum_of


@pytest.mark.parametrize(
    ("start", "function", "name"),
    [
        ("1114", "sha1", "sha-1"),
        ("1220", "sha256", "sha-256"),
        ("1340", "sha512", "sha-512"),
        ("1620", "sha3_256", "sha3-256"),
        ("d50110", "md5", "md5"),
    ],
)
def test_a_multihash_states_its_function(start, function, name):
    digits = hashlib.new(function, b"content", usedforsecurity=False).hexdigest()

    assert checksum_of(start + digits) == Checksum(name, digits)
    assert checksum_of((start + digits).upper()) == Checksum(name, digits)
    assert checksum_of(start + digits[2:]) is None
    assert checksum_of(start + "g" + digits[1:]) is None


@pytest.mark.parametrize("value", [None, 12, "", "1220", "12200", "9920" + "ab" * 32])
def test_other_text_is_no_checksum(value):
    assert checksum_of(value) is None
