"""A good file next to random odd files keeps its numbers, and no document ends with an error.

`CHRONOTILE_ODD_FOLDERS` is the number of folders, and `CHRONOTILE_ODD_SEED` the seed of the first; a failure names its
seed.
"""

import asyncio
import json
import logging
import os
from contextlib import closing
from urllib.parse import quote

import httpx2
import numpy as np
import pytest
from affine import Affine
from lxml import etree

from chronotile.app.application import serving
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import Settings
from chronotile.archive.check import check_archive
from chronotile.archive.describe import archive_lines, finding_lines
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.live_archive import LiveArchive
from tests import strict
from tests.archive.odd_files import Made
from tests.rasters import write_raster

FOLDERS = int(os.environ.get("CHRONOTILE_ODD_FOLDERS", "24"))
REQUESTS = 5
"""Requests per layer."""
LISTS = (
    *("/layers", "/stac/collections", "/stac/search", "/ogcapi/collections", "/odata/v1/Products", "/health/ready"),
    *("/wms?service=WMS&request=GetCapabilities", "/wmts?service=WMTS&request=GetCapabilities"),
)
GOOD = (np.add.outer(np.arange(40) * 100, np.arange(60)) / 10).astype("float32")
PLACE = Affine(10, 0, 500_000, 0, -10, 5_000_000)


class Log(logging.Handler):
    """Collects log records with a traceback."""

    def __init__(self):
        super().__init__()
        self.tracebacks = []

    def emit(self, record):
        if record.exc_info and record.exc_info[0] is not None:
            self.tracebacks.append(logging.Formatter().format(record))


async def answered(app, seed):
    """Return the errors in the answers of an application; a client with threads would take three times as long."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client,
    ):
        return [each async for each in answers(client, np.random.default_rng(seed))]


def write_good(folder):
    write_raster(folder / "good.tif", GOOD, transform=PLACE)


def refused(constant):
    raise ValueError(f"{constant} is not JSON")


def is_whole(answer):
    """Return whether a document has the syntax of its media type."""
    kind = answer.headers.get("content-type", "")
    try:
        if "json" in kind:
            json.loads(answer.content, parse_constant=refused)
        elif "xml" in kind:
            etree.fromstring(answer.content)
    except (ValueError, etree.XMLSyntaxError) as error:
        return str(error)
    return ""


def requests_of(layer):
    """A tile, a point, a coverage and a map of a layer."""
    west, south, east, north = layer["bbox"]
    east = east if east >= west else east + 360
    name, x, y = quote(layer["id"], safe=""), (west + east) / 2, (south + north) / 2
    box = f"{south},{west},{north},{min(east, 180)}"
    yield f"/tiles/{name}/WorldCRS84Quad/0/{int(x >= 0)}/0.png"
    yield f"/tiles/{name}/WebMercatorQuad/0/0/0.webp"
    yield f"/layers/{name}"
    yield f"/layers/{name}/times"
    yield f"/tiles/{name}/WebMercatorQuad/tilejson.json"
    yield f"/tiles/{name}/legend.png"
    yield f"/timeseries/{name}/point?lon={x}&lat={y}"
    yield f"/ogcapi/collections/{name}/coverage?f=json&scale-size=Lon(2),Lat(2)&crs=OGC:CRS84"
    yield f"/cubes/{name}/WebMercatorQuad/0/0/0.ctc"
    common = f"service=WMS&version=1.3.0&crs=EPSG:4326&width=16&height=16&styles=&layers={name}&bbox={box}"
    yield f"/wms?{common}&request=GetMap&format=image/png"
    yield f"/wms?{common}&request=GetFeatureInfo&query_layers={name}&i=8&j=8&info_format=application/json"


async def answers(client, random):
    """Yield errors in the documents and in some answers of each layer."""
    for path in LISTS:
        answer = await client.get(path)
        is_early = answer.status_code == 503 and "are being listed" in answer.text
        if not (answer.status_code == 200 or is_early) or is_whole(answer):
            yield f"{path}: {answer.status_code} {answer.text[:300]} {is_whole(answer)}"
    for each in (await client.get("/stac/collections")).json()["collections"]:
        path = f"/stac/collections/{quote(each['id'])}"
        answer = await client.get(path)
        if answer.status_code != 200:
            yield f"{path}: {answer.text[:300]}"
    for layer in (await client.get("/layers")).json()["layers"]:
        for path in random.permutation(list(requests_of(layer)))[:REQUESTS].tolist():
            answer = await client.get(path)
            if answer.status_code in {500, 501} or is_whole(answer):
                yield f"{path}: {answer.status_code} {answer.text[:300]} {is_whole(answer)}"
    async for each in good_numbers(client):
        yield each


async def good_numbers(client):
    """Yield errors in the numbers of the good file."""
    row, column = 17, 23
    x, y = PLACE @ (column + 0.5, row + 0.5)
    answer = (await client.get(f"/timeseries/good.band1/point?x={x}&y={y}&crs=EPSG:32633")).json()
    if answer.get("values", [None])[0] != pytest.approx(float(GOOD[row, column]), abs=1e-4):
        yield f"good.band1 at row {row}, column {column}: {answer}"


def faults_of(folder, seed, settings):
    """Return the errors of a folder with random files and a good one."""
    write_good(folder)
    settings = settings.model_copy(update={"config": folder})
    log = Log()
    logging.getLogger().addHandler(log)
    try:
        if seed % 3:
            Made(folder, seed).write()
            archive = open_configured(settings)
        else:  # a running server, whose folder gets the files later
            live = LiveArchive(open_configured(settings), folder)
            Made(folder, seed).write()
            live.refresh()
            if live.is_stale:
                yield "the reload failed"
            archive = live.archive
        list(archive_lines(archive.services.catalogue))
        list(finding_lines((*archive.findings, *check_archive(archive))))
        with closing(archive):
            yield from asyncio.run(answered(serving(archive, settings, finding_log=FindingLog()), seed))
    finally:
        logging.getLogger().removeHandler(log)
    yield from log.tracebacks


@pytest.mark.slow
def test_files_of_odd_metadata_stop_themselves_alone(tmp_path):
    # In the strict mode, the search is repeatable.
    any_seed = 0 if strict.is_strict() else np.random.default_rng().integers(1 << 31)
    first = int(os.environ.get("CHRONOTILE_ODD_SEED") or any_seed)
    settings = Settings(watch_s=0, jobs_dir=tmp_path / "jobs", cache_dir=tmp_path / "cache")
    for seed in range(first, first + FOLDERS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        faults = list(faults_of(folder, seed, settings))
        assert not faults, f"CHRONOTILE_ODD_SEED={seed}\n" + "\n".join(faults)
