"""Fixtures of tests of publishing."""

from tests.publish.published import run

__all__ = ["run"]
