"""nginx, configured as in docs/reference/cube-tiles.md, sends files of cubes and forwards other requests."""

import getpass
import re
import socket
import subprocess
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import numpy as np
import pytest

from chronotile.app.application import application
from chronotile.optimise.cube_tiles import CubeOptions, write_cubes
from tests.ctc1 import decode_cube
from tests.protocols import served
from tests.protocols.listening import listening
from tests.running import PATIENCE_S, reserved_port, until

pytestmark = [pytest.mark.client("nginx"), pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cube-tiles.md"
DAYS = served.days_of("2018-06-01", "2019-06-01", "2020-02-01")
TILE = "/cubes/NDVI/WebMercatorQuad/9/263/171.ctc"
MAIN = """
user USER; daemon off; pid FOLDER/nginx.pid; error_log FOLDER/error.log;
events { }
http {
    access_log off; client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
    SERVER
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def services(folder):
    """Services over two closed years with stored cubes of zoom 9."""
    layer = served.make_layer(variable=served.make_variable(times=DAYS))
    services = served.make_services(served.make_collection(layer), now=np.datetime64("2020-03-01", "ns"))
    write_cubes(services, folder / "cubes", CubeOptions(zooms=(9, 9)), progress=lambda _what, _share: None)
    return services


@pytest.fixture(scope="module")
def address(folder, services):
    """URL of nginx in front of our server."""
    with listening(application(services)) as ours, reserved_port() as held:
        port = held.getsockname()[1]
        (snippet,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
        snippet = snippet.replace("8080", f"127.0.0.1:{port}").replace("/srv/cubes", str(folder / "cubes"))
        text = MAIN.replace("SERVER", snippet.replace("http://127.0.0.1:8000", ours)).replace("FOLDER", str(folder))
        text = text.replace("USER", getpass.getuser())  # other users could not read the folder
        (folder / "nginx.conf").write_text(text)
        process = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
        try:
            until(lambda: listens(port, process))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)


def listens(port: int, process: subprocess.Popen) -> bool:
    assert process.poll() is None, "nginx ended"
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def ask(url: str, encoding: str = "gzip") -> tuple[dict[str, str], bytes]:
    """Return the headers, in lower case, and the body as sent."""
    request = urllib.request.Request(url, headers={"Accept-Encoding": encoding})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return {name.lower(): value for name, value in answer.headers.items()}, answer.read()


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("datetime=2018", "2018-res1"),
        ("datetime=2019&res=2", "2019-res2"),
        ("datetime=2019-01-01/2019-12-31&res=1&rev=abc", "2019-res1"),
        ("datetime=2018-01-01%2F2018-12-31", "2018-res1"),
    ],
)
def test_a_closed_year_is_sent_from_its_file(address, folder, services, query, name):
    services.readers["s2"].windows_read.clear()

    headers, body = ask(f"{address}{TILE}?{query}")

    assert body == (folder / "cubes" / "NDVI" / "WebMercatorQuad" / "9" / "263" / "171" / f"{name}.ctc.gz").read_bytes()
    assert services.readers["s2"].windows_read == []
    told = {name: headers[name] for name in ("content-type", "content-encoding", "vary", "access-control-allow-origin")}
    assert told == {
        "content-type": "application/vnd.chronotile.cube",
        "content-encoding": "gzip",
        "vary": "Accept-Encoding",
        "access-control-allow-origin": "*",
    }


@pytest.mark.parametrize(
    "query", ["datetime=2020", "datetime=2018-01-01/2019-12-31", "datetime=2019-06", "", "datetime=2018/2018"]
)
def test_other_requests_are_passed_on(address, query):
    headers, body = ask(f"{address}{TILE}?{query}")

    assert headers["content-encoding"] == "gzip"
    assert decode_cube(zlib.decompress(body, 31)).header["layer"] == "NDVI"
    assert "chronotile-time" in headers


@pytest.mark.parametrize("encoding", ["gzip;q=0.5", "br, gzip; q=0.05", "deflate, GZIP"])
def test_a_client_that_takes_gzip_among_others_has_the_file(address, encoding):
    headers, _body = ask(f"{address}{TILE}?datetime=2018", encoding=encoding)

    assert headers["content-encoding"] == "gzip"
    assert "chronotile-time" not in headers


@pytest.mark.parametrize("encoding", ["identity", "br", "gzip;q=0", "gzip ; q=0.000, identity", "br, GZIP;q=0.0"])
def test_a_client_without_gzip_is_passed_on(address, encoding):
    headers, body = ask(f"{address}{TILE}?datetime=2018", encoding=encoding)

    assert "content-encoding" not in headers
    assert decode_cube(body).header["times"] == ["2018-06-01T00:00:00Z"]


@pytest.mark.parametrize("path", ["/cubes/NDVI/WebMercatorQuad/9/0/0.ctc?datetime=1999", "/nothing"])
def test_errors_are_ours(address, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(f"{address}{path}")

    with refused.value as answer:
        assert (answer.code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_other_paths_are_passed_on(address):
    headers, _body = ask(f"{address}/layers/NDVI", encoding="identity")

    assert headers["content-type"] == "application/json"
