"""Uploads with a client that disconnects: the server ends the parser process."""

import io
import sys
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

from tests.running import PATIENCE_S, serving, until
from tests.scenes import Scene, write_cogs

LEFT = 'chronotile_requests_total{route="/places/shapes",status="499"} 1.0'
"""Metric line for one upload that its client aborted."""
psutil = pytest.importorskip("psutil", reason="the extra dask is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs seccomp")]


def parsers_of(pid):
    """Return the processes that parse uploads of a server."""
    children = psutil.Process(pid).children(recursive=True)
    return [each for each in children if "readers.places.convert" in " ".join(each.cmdline())]


def metrics_of(address):
    with urlopen(f"{address}/metrics", timeout=PATIENCE_S) as answer:
        return answer.read().decode()


@pytest.fixture
def upload():
    """A ZIP without a shapefile; the process that reads it is stopped before it can answer."""
    packed = io.BytesIO()
    with ZipFile(packed, "w") as members:
        members.writestr("none.txt", "")
    return packed.getvalue()


def test_disconnect_ends_the_process_of_an_upload(tmp_path, upload):
    write_cogs(tmp_path, Scene())
    with serving("serve", tmp_path, "--workers", "1") as (process, address, _lines):
        with closing(HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)) as connection:
            connection.request("POST", "/places/shapes", upload, {"Content-Type": "application/zip"})
            (parser,) = until(lambda: parsers_of(process.pid))
            parser.suspend()

        until(lambda: not parser.is_running())
        until(lambda: LEFT in metrics_of(address))
