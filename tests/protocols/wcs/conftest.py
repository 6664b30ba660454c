"""Fixtures of WCS tests."""

from collections.abc import Callable

import pytest
from lxml import etree

from tests.protocols.wcs.asking import wcs_schema


@pytest.fixture(scope="session")
def validate_wcs(shared) -> Callable[[bytes], list[str]]:
    """Return a function that lists the errors of a document by the schemas of WCS 2.0, GMLCOV and GML."""
    schema = wcs_schema(shared / "ogc" / "schemas")

    def validate(document: bytes) -> list[str]:
        schema.validate(etree.fromstring(document))
        return [f"line {error.line}: {error.message}" for error in schema.error_log]

    return validate
