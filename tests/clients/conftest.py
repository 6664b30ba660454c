"""What tests of clients share with those of protocols."""

from tests.protocols.conftest import make_url

__all__ = ["make_url"]
