"""Programs of the client's pages run unchanged, and print the output in the pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.protocols.listening import listening
from tests.running import PATIENCE_S, with_client

pytestmark = pytest.mark.every_case

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs" / "reference" / "python-client.md").read_text(encoding="utf-8")
README = (ROOT / "clients" / "python" / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```(?:\n\n```\n(.*?)```)?", REFERENCE, re.DOTALL)


@pytest.fixture(scope="module")
def url(five_years, tmp_path_factory):
    """The address of a demo."""
    folder = tmp_path_factory.mktemp("jobs")
    with listening(create_app(Settings(config=five_years / "demo.yaml", jobs_dir=folder))) as url:
        yield url


def printed_by(program, url, folder):
    """Return the output of a program in a separate process, with warnings as errors."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program.replace("http://127.0.0.1:8000", url)],
        cwd=folder,
        env=with_client(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("program", "shown"), PROGRAMS, ids=range(len(PROGRAMS)))
def test_program_of_the_reference(url, tmp_path, program, shown):
    printed = printed_by(program, url, tmp_path)

    assert printed
    assert not shown or printed == shown


@pytest.mark.slow
@pytest.mark.client("node")
def test_programs_of_the_readme(url, tmp_path):
    subprocess.run(["node", ROOT / "clients/python/build.mjs", tmp_path / "widget"], check=True, timeout=PATIENCE_S)
    built = f"import pathlib, chronotile_client.map as own; own.BUNDLE = pathlib.Path({str(tmp_path / 'widget')!r})"
    programs = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    printed = printed_by("\n".join([built, *programs, "print(ndvi.id, explorer.date)"]), url, tmp_path)

    assert printed.startswith("NDVI 2023-08")


def test_all_calls_are_in_the_reference():
    import chronotile_client

    public = {
        name
        for kind in (chronotile_client.Archive, chronotile_client.Layer, chronotile_client.Job)
        for name in vars(kind)
        if not name.startswith("_") and callable(getattr(kind, name)) and name not in {"run", "close", "from_document"}
    }

    assert {name for name in public if f"{name}(" not in REFERENCE} == set()
    assert {name for name in chronotile_client.__all__ if name.endswith("Error") and name not in REFERENCE} == set()
