"""The programs of docs/how-to/stac-clients.md run one after the other, as a reader runs them."""

import json
import os
import subprocess
import urllib.request

import pytest

from tests.docs.blocks import in_language
from tests.docs.shell import SERVER
from tests.running import PATIENCE_S, until
from tests.strict import find_program

PAGE = "docs/how-to/stac-clients.md"
SHOWN = "print(ndvi.sizes['time'], sorted(str(day)[:10] for day in ndvi.time.values), float(ndvi.max()) > 0.3)"


def matched(server):
    """How many dates of the demo's vegetation the index has, which is filled while requests are answered."""
    with urllib.request.urlopen(f"{server}/stac/search?collections=biopar&limit=1", timeout=PATIENCE_S) as answer:
        return json.load(answer)["numberMatched"]


@pytest.mark.slow
@pytest.mark.client("stac-api-validator")
def test_clients_find_and_load_the_dates_of_the_demo(server, tmp_path):
    until(lambda: matched(server) == 72)
    program = "\n".join([block.text for block in in_language("python") if block.page == PAGE] + [SHOWN])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    ran = subprocess.run(
        [find_program("stac-api-validator").parent / "python", "-c", program.replace(SERVER, server)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout.splitlines()[-1] == "3 ['2023-05-01', '2023-05-11', '2023-05-21'] True", ran.stdout[-3000:]
