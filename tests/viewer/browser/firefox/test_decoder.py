"""The decoder in Firefox reads the golden files exactly, and refuses damaged files."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.client("firefox-esr")]

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden" / "ctc1"
NAMES = sorted(path.name for path in GOLDEN.glob("*.ctc*"))
EXPECTED = {name: json.loads((GOLDEN / f"{name.partition('.')[0]}.json").read_text()) for name in NAMES}
GOOD = [name for name in NAMES if "error" not in EXPECTED[name]]
DAMAGED = [name for name in NAMES if "error" in EXPECTED[name]]
FOLDERS = {"": HERE, "viewer/ctc1": ROOT / "viewer" / "ctc1", "golden": GOLDEN}
TYPES = {".html": "text/html", ".js": "text/javascript"}
OPENS_WITHIN_S = 600


class Page(BaseHTTPRequestHandler):
    """Serves the page, the decoder and the golden files, and receives the page's results."""

    found: "Queue[dict]"

    def do_GET(self):
        folder, _, name = self.path.removeprefix("/").rpartition("/")
        path = FOLDERS[folder] / name
        body = path.read_bytes() if name else json.dumps(NAMES).encode()
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(path.suffix, "application/octet-stream"))
        if path.suffix == ".gz":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        told = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        self.found.put(json.loads(told))

    def log_message(self, *_words):
        """Log nothing."""


@contextmanager
def firefox(url: str, profile: Path) -> Iterator[None]:
    # A separate profile without background requests.
    (profile / "user.js").write_text(
        "\n".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in {
                "app.update.enabled": False,
                "browser.shell.checkDefaultBrowser": False,
                "datareporting.policy.dataSubmissionEnabled": False,
                "network.captive-portal-service.enabled": False,
                "network.connectivity-service.enabled": False,
                "toolkit.telemetry.reportingpolicy.firstRun": False,
            }.items()
        )
    )
    command = ["firefox-esr", "--headless", "--no-remote", "--profile", profile, url]
    with (profile / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=120)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Firefox's results by file name."""
    queue: Queue[dict] = Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Page,), {"found": queue}))
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/decode.html"
    with firefox(url, tmp_path_factory.mktemp("firefox")):
        told = queue.get(timeout=OPENS_WITHIN_S)
    server.shutdown()
    server.server_close()
    return told


def test_it_is_firefox(found):
    assert "Firefox/" in found["agent"]


@pytest.mark.parametrize("name", GOOD)
def test_firefox_reads_the_numbers_of_every_date(found, name):
    numbers = [frame["numbers"] for frame in found[name]["frames"]]

    assert numbers == [list(np.ravel(frame)) for frame in EXPECTED[name]["numbers"]]


@pytest.mark.parametrize("name", GOOD)
def test_firefox_reads_the_values_of_every_date(found, name):
    values = np.array([frame["values"] for frame in found[name]["frames"]], dtype=float)

    expected = np.array(EXPECTED[name]["values"], dtype=float).reshape(values.shape)
    np.testing.assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.parametrize("name", DAMAGED)
def test_firefox_refuses_damaged_tiles(found, name):
    assert found[name]["error"].startswith("not a cube tile: ")
