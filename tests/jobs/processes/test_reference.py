"""The demo accepts the examples of docs/reference/processes.md with fewer cells; it has all their times."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import DemoPlan, make_demo
from chronotile.jobs.processes.registry import processes

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "processes.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^(?:## (\S+)|An `(\S+)`:)\n((?:(?!^## |^An `|^```).*\n)*)```json\n(.*)\n```", PAGE, flags=re.MULTILINE
)
"""Examples, each with its process: that of the section, or one that is named above it."""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    plan = DemoPlan(size_px=100, levels=1, picture_days=("2024-06-01",))
    place = make_demo(tmp_path_factory.mktemp("demo"), plan=plan)
    settings = Settings(config=place, jobs_dir=tmp_path_factory.mktemp("jobs"))
    with TestClient(create_app(settings), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def test_all_examples_are_found():
    assert len(EXAMPLES) == PAGE.count("```json") == len(processes()) - 3  # one has three maps, and echo has none


@pytest.mark.slow
@pytest.mark.parametrize(("process", "body"), [(own or named, body) for own, named, _text, body in EXAMPLES])
def test_an_example_is_accepted(client, process, body):
    answer = client.post(f"/ogcapi/processes/{process}/execution", content=body, headers={"Prefer": "respond-async"})

    assert answer.status_code == 201, answer.text
