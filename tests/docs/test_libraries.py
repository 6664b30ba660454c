"""Pages that install a library with npm: its current release has the files that they load.

docs/how-to/leaflet.md, openlayers.md and maplibre.md; test_pages.py opens them with the locked releases.
"""

import re
import subprocess
import sys
import urllib.request

import pytest

from tests.docs.blocks import BLOCKS
from tests.running import PATIENCE_S

pytestmark = [pytest.mark.slow, pytest.mark.every_case]

COMMANDS = {block.page: block.text for block in BLOCKS if block.runner == "tests/docs/test_libraries.py"}
SERVING = re.compile(r"port (\d+)")
INSTALL_S = 1800
"""Timeout of npm in seconds; a registry may be slow."""


@pytest.mark.client("npm", "bash")
@pytest.mark.parametrize("page", COMMANDS)
def test_files_of_the_library_are_served_next_to_the_page(page, tmp_path):
    (html,) = (block.text for block in BLOCKS if (block.page, block.language) == (page, "html"))
    (tmp_path / "index.html").write_text(html, encoding="utf-8")
    install, serve = COMMANDS[page].splitlines()
    subprocess.run(["bash", "-ec", install], cwd=tmp_path, check=True, capture_output=True, timeout=INSTALL_S)

    command = [sys.executable, "-u", *serve.replace("8080", "0").split()[1:]]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        base = f"http://127.0.0.1:{SERVING.search(server.stdout.readline())[1]}"
        loaded = {"", *re.findall(r"node_modules/[\w./-]+", html)}
        statuses = {path: urllib.request.urlopen(f"{base}/{path}", timeout=PATIENCE_S).status for path in loaded}
        server.terminate()

    assert len(loaded) > 2
    assert set(statuses.values()) == {200}
