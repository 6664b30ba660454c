"""The map of docs/how-to/notebooks.md, drawn by JupyterLab in Chromium, with a kernel and a demo archive."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from chronotile_client import Archive
from tests.docs.blocks import blocks_of
from tests.docs.shell import SERVER
from tests.docs.site import DOCS
from tests.running import PATIENCE_S, serving
from tests.strict import find_program

pytestmark = [pytest.mark.slow, pytest.mark.every_case, pytest.mark.browser, pytest.mark.client("node", "jupyter-lab")]

DRIVER = Path(__file__).with_name("lab.mjs")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")
CENTRE = (4.4, 51.0)
"""Longitude and latitude of the page's map."""
STATE = "import json\nm = Out[1]\njson.dumps([m.date, m.point, m.value, m.zoom, m.error])"


@pytest.fixture(scope="module")
def server(demo_folder, tmp_path_factory):
    jobs = str(tmp_path_factory.mktemp("lab") / "jobs")
    with serving("serve", demo_folder / "demo.yaml", "--workers", "1", CHRONOTILE_JOBS_DIR=jobs) as (_, url, _lines):
        yield url


def write_notebook(folder, *cells):
    """Write `map.ipynb` with cells of code."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "map.ipynb")


@contextmanager
def running_lab(folder, client):
    """Run JupyterLab over a folder, with the kernel and the extensions of this environment; yield its address."""
    kernel = folder / "share" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    extensions = Path(sysconfig.get_path("data")) / "share" / "jupyter"
    environment = os.environ | {
        "JUPYTER_PATH": os.pathsep.join([str(folder / "share"), str(extensions)]),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(client), os.environ.get("PYTHONPATH")])),
    }
    command = [
        *(find_program("jupyter-lab"), "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
        *("--ServerApp.port=0", "--IdentityProvider.token=", "--LabApp.news_url=", "--LabApp.check_for_updates_class="),
        *("--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={folder}"),
    ]
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if address := ADDRESS.search(line):
                break
        else:
            raise AssertionError("".join(lines))
        yield address[0]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def test_the_map_is_drawn_and_python_has_its_state(server, client_with_map, tmp_path):
    (block,) = (block for block in blocks_of(DOCS / "how-to" / "notebooks.md") if block.language == "python")
    write_notebook(tmp_path, block.text.replace(SERVER, server), STATE)
    with Archive(server) as archive:
        layer = archive.layers["NDVI"]
        clear = int(np.flatnonzero(layer.series(CENTRE)["value"].notna())[5])

        with running_lab(tmp_path, client_with_map) as lab:
            command = ["node", DRIVER, f"{lab}doc/tree/map.ipynb", str(clear), tmp_path]
            driven = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S * 2, check=False)
        assert driven.returncode == 0, driven.stdout + driven.stderr
        date, point, value, zoom, error = json.loads(driven.stdout.splitlines()[-1])
        series = layer.series(tuple(point))

    assert (zoom, error) == (11, "")
    assert point == pytest.approx(CENTRE, abs=0.001)
    assert date == f"{series.index[clear]:%Y-%m-%dT%H:%M:%SZ}"
    assert value == pytest.approx(series["value"].iloc[clear])
