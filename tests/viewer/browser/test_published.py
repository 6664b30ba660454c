"""`published.mjs`, over the output of `chronotile publish --viewer`, from a server of files."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from chronotile.cli.main import app
from tests.viewer.browser.checks import run_checks
from tests.viewer.browser.served import write_archive

SCENARIOS = Path(__file__).with_name("published.mjs")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.client("node")
def test_published_viewer_works_from_files_alone(tmp_path):
    configuration = write_archive(tmp_path)
    out = tmp_path / "out"
    ran = CliRunner().invoke(app, ["publish", "main", "--viewer", "--to", str(out), "--config", str(configuration)])
    assert ran.exit_code == 0, ran.output
    handler = partial(SimpleHTTPRequestHandler, directory=str(out))

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        run_checks(SCENARIOS, f"http://127.0.0.1:{server.server_port}/", tmp_path / "pictures")
        server.shutdown()
