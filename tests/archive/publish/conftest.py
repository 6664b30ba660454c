"""Fixtures of tests of publishing."""

from tests.archive.publish.published import run

__all__ = ["run"]
