"""Fixtures that tests of clients share with tests of protocols."""

from tests.protocols.conftest import make_url

__all__ = ["make_url"]
