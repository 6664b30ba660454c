"""Pages on clients of items, as their readers follow them: commands of downloads, and a program of STAC clients."""

import hashlib
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.docs.blocks import BLOCKS, in_language
from tests.docs.shell import SERVER
from tests.docs.site import DOCS
from tests.running import until
from tests.strict import find_program

DOWNLOADS = in_language("bash", but="docs/how-to/production.md")
STAC_PAGE = (DOCS / "how-to" / "stac-clients.md").read_text(encoding="utf-8")
STAC = [each for each in BLOCKS if each.page == "docs/how-to/stac-clients.md" and each.language == "python"]
CHECKS = """
assert client.get_collection("toc").get_queryables()["properties"]
valid = ndvi.values[~numpy.isnan(ndvi.values)]
assert valid.size and -0.08 <= valid.min() and valid.max() <= 0.92
of_dates = stacked.sortby("time").values
of_dates = of_dates[~numpy.isnan(of_dates)]
numpy.testing.assert_allclose(numpy.sort(of_dates), numpy.sort(valid), atol=1e-6)
"""


@pytest.fixture
def items(server):
    """Return the server, once it has listed the dates of the demo."""

    def is_there():
        try:
            return urllib.request.urlopen(f"{server}/products/toc/2024-06-01?f=json").status == 200
        except urllib.error.HTTPError:
            return False

    until(is_there)
    return server


@pytest.mark.client("bash", "curl", "gdalinfo", "sha256sum")
def test_commands_of_downloads_do_as_they_claim(items, tmp_path):
    printed = ""
    for block in DOWNLOADS:
        text = block.text.replace(SERVER, items)
        ran = subprocess.run(["bash", "-ec", text], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{block}: {ran.stderr}"
        printed += ran.stdout

    assert {each.read_bytes() for each in tmp_path.glob("*.zip")} == {(tmp_path / "2024-06-01.zip").read_bytes()}
    assert {each.name for each in tmp_path.iterdir()} == {
        *("2024-06-01.zip", "scene.zip", "product.zip", "RED_20240601.tif")
    }
    digest = hashlib.sha256((tmp_path / "RED_20240601.tif").read_bytes()).hexdigest()
    assert printed.count(digest) == 2  # as the server computes it, and as sha256sum does
    assert "Size is 200, 200" in printed


@pytest.mark.client("stac-api-validator")
def test_the_program_of_stac_clients_runs(items, tmp_path):
    python = find_program("stac-api-validator").parent / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = "\n".join(["import numpy", *(each.text for each in STAC), CHECKS]).replace("http://localhost:8000", items)

    ran = subprocess.run(
        [python, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert json.loads(lines[0].replace("'", '"')) == ["biopar", "toc"]
    assert lines[1].startswith("2023-05-21 ['NDVI', ")
    assert lines[-1] == "['2024-06-01']"


def test_each_filter_of_stac_clients_names_its_language():
    """pystac-client refuses a filter without it, unless the package cql2 is installed."""
    filters = re.findall(r"\bfilter=", STAC_PAGE)

    assert len(filters) > 1
    assert len(re.findall(r"\bfilter=\"[^\"]+\",\s+filter_lang=\"cql2-text\"", STAC_PAGE)) == len(filters)
