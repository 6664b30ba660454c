"""Bodies designed to exhaust a server's memory are refused within limits, with short messages."""

import json
import subprocess
import sys
from itertools import product

import pytest

from chronotile.jobs.processes.registry import processes
from tests.protocols.ogcapi.processes.hostile import BODIES

MOST_PEAK_BYTES = 640 << 20
"""Limit of the peak memory of a process that includes server, client and body."""
PARAMETERS = {
    "arrays": "body",
    "as many arrays as are read": "inputs.points",
    "depth": "body",
    "depth past all": "body",
    "a long text": "inputs.string",
    "texts": "body",
    "unknown inputs": "inputs.name0",
    "unknown members of an input": "inputs.bbox",
    "unknown members of a body": "outputs",
}


@pytest.fixture(scope="module")
def answers():
    """Return the server's answers to all bodies, by name."""
    module = "tests.protocols.ogcapi.processes.hostile"
    done = subprocess.run([sys.executable, "-m", module], capture_output=True, check=True, timeout=900)
    return {told["name"]: told for told in map(json.loads, done.stdout.splitlines())}


@pytest.mark.slow
@pytest.mark.parametrize("name", BODIES)
def test_a_body_made_to_take_memory_is_refused_in_few_words(answers, name):
    told = answers[name]
    problem = json.loads(told["answer"])

    assert (told["status"], problem["parameter"]) == (400, PARAMETERS[name])
    assert told["bytes"] < 1000
    assert told["peak_bytes"] < MOST_PEAK_BYTES


LONG = "x" * 100_000
AREA = {"type": "Polygon", "coordinates": [[[4.6, 50.8], [4.61, 50.8], [4.61, 50.81], [4.6, 50.8]]]}
AREAS = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": AREA}]}
GIVEN = {"layer": "NDVI", "layers": "NDVI", "places": AREAS, "points": [[4.6, 50.8]], "datetime": "2020-06"}
"""Values of inputs that some process requires."""
VALUES = (
    LONG,
    LONG[:9000],
    [LONG],
    {LONG: 1},
    {"value": LONG},
    {"value": LONG, "mediaType": LONG},
    {"value": 1, "encoding": LONG},
    {"href": LONG},
    {"type": LONG},
    {"bbox": [4.6, 50.8, 4.7, 50.9], "crs": LONG},
    {"type": "MultiPoint", "coordinates": [[LONG, 1]]},
    {"type": "FeatureCollection", "features": [{"type": LONG}]},
    {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {"type": LONG}}]},
    {**AREAS, "crs": LONG},
    {**AREAS, "crs": {"type": "name", "properties": {"name": LONG}}},
)


@pytest.mark.quick_cases("zonal-statistics", "export")
@pytest.mark.parametrize("process", processes().values(), ids=lambda process: process.id)
def test_no_answer_repeats_long_text(client, process):
    required = {name: GIVEN.get(name, "NDVI") for name, told in process.inputs.items() if told.is_required}
    bodies = [{"inputs": {**required, name: value}} for name, value in product(process.inputs, VALUES)]
    url, headers = f"/ogcapi/processes/{process.id}/execution", {"Prefer": "respond-async"}

    answers = [client.post(url, json=body, headers=headers) for body in bodies]

    assert {answer.status_code for answer in answers} <= {201, 400, 404}
    assert max(len(answer.content) for answer in answers) < 1500


@pytest.mark.parametrize(
    "body",
    [
        {"response": LONG},
        {"outputs": LONG},
        {"outputs": {LONG: {}}},
        {"outputs": {"string": {LONG: LONG}}},
        {"outputs": {"string": {"transmissionMode": LONG}}},
        {"outputs": {"string": {"format": {"encoding": LONG}}}},
        {"outputs": {"string": {"format": {"mediaType": LONG}}}},
        {"subscriber": LONG},
        {"subscriber": {"successUri": LONG}},
        {LONG: LONG},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_no_answer_repeats_a_long_member(ask, body):
    answer = ask(body)

    assert answer.status_code in {204, 400}
    assert len(answer.content) < 1500
