"""Fixtures shared with protocol tests: services over a formula, and a client that speaks HTTP to them."""

from tests.protocols.conftest import client, make_client, make_services

__all__ = ["client", "make_client", "make_services"]
