"""Requests and programs of docs/reference/ogc-api-processes.md run unchanged with a small demo archive."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chronotile.catalog.limits import Limits
from chronotile.core.web.fetch import MAX_S as MOST_POST_S
from chronotile.jobs.queue.notifier import WAITS_S
from chronotile.jobs.queue.outbox import EVERY_S
from chronotile.protocols.common.processes.references import MAX_FETCH_S, MAX_REFERENCES
from chronotile.protocols.common.processes.results import MAX_INLINE_BYTES
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.processes.params import OF_JOBS
from tests.protocols.ogcapi.processes.conftest import ECHO

pytestmark = pytest.mark.every_case

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "ogc-api-processes.md").read_text(encoding="utf-8")
REQUESTS = re.findall(r"^GET (\S+)$", PAGE, re.MULTILINE)
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BODIES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def run_here(url):
    """Return a function that runs a program against a server on a socket and returns the program's final names."""

    def run(program):
        names = {}
        exec(program.replace("http://127.0.0.1:8000", url), names)
        return names

    return run


@pytest.fixture
def url(make_url):
    return make_url()


@pytest.mark.parametrize("request_line", REQUESTS)
def test_requests_of_the_page_are_answered(client, request_line):
    answer = client.get(request_line)

    assert answer.status_code == 200, answer.text


def test_the_execution_of_the_page_is_answered(client):
    body, _metadata, _offer = map(json.loads, BODIES)

    document = client.post(ECHO, json=body).json()

    assert document["string"] == "Hello"
    assert client.get(document["object"]["href"]).json() == {"a": 1}


def test_the_offer_of_the_page_names_a_process_and_its_inputs(client):
    job = json.loads(BODIES[-1])["job"]

    description = client.get(urlsplit(job["href"]).path.removesuffix("/execution")).json()

    assert job["inputs"].keys() <= description["inputs"].keys()
    assert "/execution" in {urlsplit(link["href"]).path[-10:] for link in description["links"]}


@pytest.mark.client
def test_owslib_executes_as_the_page_has_it(run_here):
    names = run_here(PROGRAMS[0])

    assert "echo" in names["names"]
    assert names["said"] == {"string": "Hello", "number": 3}


def test_the_page_has_every_parameter_and_limit():
    assert [name for name in names_of(OF_JOBS) if f"`{name}`" not in PAGE and name != "lang"] == []
    assert f"{Limits().max_seconds:.0f} s" in PAGE
    assert f"{MAX_INLINE_BYTES >> 20} MiB" in PAGE
    assert f"at most {MAX_REFERENCES} references, which" in PAGE
    assert f"take no longer than {MAX_FETCH_S:.0f} s" in PAGE
    assert f"at most every {EVERY_S:.0f} s" in PAGE
    assert f"within {MOST_POST_S:.0f} s" in PAGE
    assert WAITS_S == (5, 30, 3 * 60, 18 * 60)
    assert "5 s, 30 s, 3 min and 18 min later" in PAGE


def test_all_programs_of_the_page_are_run():
    assert (len(PROGRAMS), len(BODIES), len(REQUESTS)) == (1, 3, 9)
