"""The notebooks of docs/notebooks, executed with a demo archive, and their outputs."""

import json
import os
from pathlib import Path

import pytest

from tests.running import serving

NOTEBOOKS = Path(__file__).parents[3] / "docs" / "notebooks"
EXECUTION_S = 600


@pytest.fixture(scope="module")
def served(five_years, tmp_path_factory):
    """Environment of a notebook: the URL of a demo, and a folder of COGs that its server reads."""
    folder = tmp_path_factory.mktemp("notebooks")
    cogs = folder / "cogs"
    cogs.mkdir()
    settings = {"CHRONOTILE_COG_PREFIXES": str(cogs), "CHRONOTILE_JOBS_DIR": str(folder / "jobs")}
    with serving("serve", five_years / "demo.yaml", "--workers", "1", **settings) as (_, url, _lines):
        yield {"CHRONOTILE_URL": url, "CHRONOTILE_COG_FOLDER": str(cogs)}


@pytest.fixture
def run(served, client_with_map, tmp_path, monkeypatch):
    """Return a function: `run(name)` returns the outputs of each code cell; `run.widgets` has the state of widgets."""
    import nbformat
    from nbclient import NotebookClient

    for name, value in served.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(filter(None, [str(client_with_map), os.environ.get("PYTHONPATH")]))
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))

    def run(name):
        notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
        nbformat.validate(notebook)
        executor = NotebookClient(
            notebook,
            timeout=EXECUTION_S,
            kernel_manager_class=kernel_manager_class(),
            resources={"metadata": {"path": str(tmp_path)}},
        )
        executor.execute()
        if folder := os.environ.get("CHRONOTILE_NOTEBOOKS_DIR"):
            nbformat.write(notebook, Path(folder) / name)
        run.widgets = json.dumps(notebook.metadata.get("widgets", {}))
        return [Outputs(cell["outputs"]) for cell in notebook.cells if cell["cell_type"] == "code"]

    return run


def kernel_manager_class() -> type:
    """Return a kernel manager whose clients do not miss a reply that arrives while they send.

    nbclient sends the state of output widgets while it waits for the reply to a cell. jupyter_client 8.10 sends past
    the asyncio socket, which consumes the event of a reply that arrives at this moment, and nobody is woken.
    """
    import zmq
    from jupyter_client.asynchronous import AsyncKernelClient
    from jupyter_client.channels import AsyncZMQSocketChannel
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import Type

    class Channel(AsyncZMQSocketChannel):
        def send(self, msg):
            super().send(msg)
            self.socket.get(zmq.EVENTS)  # pyzmq wakes readers if a message waits

    class Client(AsyncKernelClient):
        shell_channel_class = Type(Channel)

    class Manager(AsyncKernelManager):
        client_factory = Type(Client)

    return Manager


class Outputs:
    """Outputs of a cell."""

    def __init__(self, outputs: list) -> None:
        self.streams = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
        data = [output["data"] for output in outputs if "data" in output]
        self.text = "\n".join(each.get("text/plain", "") for each in data)
        self.has_picture = any("image/png" in each for each in data)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_is_stored_without_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))

    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_all_notebooks_are_executed():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == {
        "anomalies", "explorer", "histogram", "own-cog", "seasons"
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.client("node")
def test_histogram(run):
    cells = run("histogram.ipynb")

    assert cells[1].text.startswith("(36,")
    assert int(cells[3].text.removeprefix("np.int64(").removesuffix(")")) > 1_000_000
    assert cells[4].has_picture
    assert "'times': 36, 'outside': 0" in cells[5].text


@pytest.mark.slow
@pytest.mark.client("node")
def test_anomalies(run):
    cells = run("anomalies.ipynb")

    assert cells[1].has_picture
    assert "mean.anomaly" in cells[2].text
    assert cells[3].has_picture
    assert all(year in cells[4].text for year in ("2020", "2021", "2022", "2023", "2024"))
    assert "slope" in cells[5].text
    assert cells[6].has_picture
    assert "of the cells have a trend" in cells[7].streams


@pytest.mark.slow
@pytest.mark.client("node")
def test_seasons(run):
    cells = run("seasons.ipynb")

    assert "mean.smooth" in cells[2].text
    assert "peak_value" in cells[3].text
    assert cells[4].has_picture
    assert cells[5].has_picture
    assert "2022" in cells[6].text


@pytest.mark.slow
@pytest.mark.client("node")
def test_explorer(run):
    cells = run("explorer.ipynb")

    assert '"image/png"' in run.widgets  # the series of the click, in the widget below the map
    assert "datetime=2022-07-01T00:00:00Z" in cells[-2].text
    assert '"date": "2022-06-21' in run.widgets  # series of the map with all dates


@pytest.mark.slow
@pytest.mark.client("node")
def test_own_cog(run):
    cells = run("own-cog.ipynb")

    assert "'width': 200" in cells[3].text
    assert cells[6].has_picture
    assert "/cog/tiles/WebMercatorQuad/{z}/{x}/{y}" in cells[7].text
