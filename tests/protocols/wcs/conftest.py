"""What tests of WCS share."""

from collections.abc import Callable

import pytest
from lxml import etree

from tests.protocols.wcs.asking import wcs_schema


@pytest.fixture(scope="session")
def validate_wcs(shared) -> Callable[[bytes], list[str]]:
    """`validate_wcs(document)`: what the schemas of WCS 2.0, GMLCOV and GML find wrong."""
    schema = wcs_schema(shared / "ogc" / "schemas")

    def validate(document: bytes) -> list[str]:
        schema.validate(etree.fromstring(document))
        return [f"line {error.line}: {error.message}" for error in schema.error_log]

    return validate
