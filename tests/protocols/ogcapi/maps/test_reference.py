"""Every request of `docs/reference/ogc-api-maps.md` is answered by a small demo."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chronotile.app import create_app
from chronotile.ingest.demo import DemoPlan, make_demo
from chronotile.protocols.ogcapi.maps.params import PARAMETERS
from chronotile.settings import Settings

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "ogc-api-maps.md").read_text(encoding="utf-8")
REQUESTS = re.findall(r"^GET (/\S+)$", PAGE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    plan = DemoPlan(size_px=200, first_day="2023-01-01", dekads=36, levels=2, picture_days=("2024-06-01",))
    settings = Settings(config=make_demo(tmp_path_factory.mktemp("demo"), plan=plan))
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("request_line", REQUESTS)
def test_a_request_of_the_page_is_answered(demo, request_line):
    answer = demo.get(request_line)

    assert answer.status_code == 200, answer.text
    assert answer.content


def test_the_page_has_every_parameter():
    told = set(re.findall(r"`([a-z-]+)`", PAGE))

    assert [name for name in PARAMETERS if name not in {"lang", *told}] == []
    assert len(REQUESTS) >= 20
