"""Fixtures of walks: the judge with all available schemas, and the report."""

import re
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
from lxml import etree

from tests import strict
from tests.protocols.wcs.asking import wcs_schema
from tests.walk.judging import Judge
from tests.walk.serving import served
from tests.walk.walker import Extent, Report, Walker

STATIC = ("OGC API Processes", "viewer", "operations")
"""Documents that do not depend on the data."""
COLOUR_MAP_TYPE = re.compile(rb'<ColorMap type="(values|intervals)">')
"""GeoServer's addition to SLD 1.0.0, which QGIS reads and writes too: without it, clients interpolate classes."""


@pytest.fixture(scope="session")
def judge(request: pytest.FixtureRequest) -> Judge:
    """Return a judge with the schemas of OGC, if available."""
    if strict.lack_of_shared(strict.SHARED / "ogc"):
        return Judge(schemas=None, validate_ogc=None)
    schemas, validate_ogc = strict.SHARED / "ogc" / "schemas", request.getfixturevalue("validate_ogc")
    with_grids = cache(partial(wcs_schema, schemas))

    def validate(document: bytes) -> list[str]:
        document = COLOUR_MAP_TYPE.sub(b"<ColorMap>", document)
        if b"gml/3.3/rgrid" not in document:
            return validate_ogc(document)
        with_grids().validate(etree.fromstring(document))
        return [str(each) for each in with_grids().error_log]

    return Judge(schemas, validate)


@pytest.fixture
def walk(judge: Judge, tmp_path: Path) -> Callable[..., Report]:
    """Return `walk(place, extent)`, which walks through a server's documents and prints the report by protocol."""

    def report(place: Path, extent: Extent = Extent.ROUTES, *, without: tuple[str, ...] = STATIC) -> Report:
        folder = tmp_path / "state"
        folder.mkdir()
        with served(place, folder) as client:
            found = Walker(client, judge, extent=extent, without=without).walk()
        sys.stdout.write(f"{place.name}: {found}\n")
        return found

    return report
