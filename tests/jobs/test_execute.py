"""Inputs are checked by their schemas, and small executions are synchronous."""

import pytest

from chronotile.core.errors import InvalidParameter, LimitExceeded, UnknownPath
from chronotile.core.model.job import Execution
from chronotile.jobs.processes.execute import execute
from tests.protocols import served


@pytest.fixture(scope="module")
def services():
    return served.make_services()


def echo(services, folder, inputs, *, outputs=None):
    return execute(Execution(process="echo", inputs=inputs, outputs=outputs), services, folder)


def test_echo_returns_its_input(services, tmp_path):
    inputs = {"string": "a <b>", "number": 7.5, "array": [1, 2], "bbox": {"bbox": [1, 2, 3, 4]}, "mixed": "word"}

    results = echo(services, tmp_path, inputs)

    assert {name: result.value for name, result in results.items()} == inputs


def test_only_requested_outputs_are_returned(services, tmp_path):
    results = echo(services, tmp_path, {"string": "a", "number": 1}, outputs={"number": {}})

    assert {name: result.value for name, result in results.items()} == {"number": 1}


@pytest.mark.parametrize(
    ("inputs", "locator"),
    [
        ({"nonsense": 1}, "inputs.nonsense"),
        ({"number": 101}, "inputs.number"),
        ({"number": "1"}, "inputs.number"),
        ({"array": [1, 2, "x"]}, "inputs.array[2]"),
        ({"bbox": {"bbox": [1, 2]}}, "inputs.bbox.bbox"),
        ({"pause": -1}, "inputs.pause"),
    ],
    ids=str,
)
def test_wrong_inputs_are_refused_with_their_place(services, tmp_path, inputs, locator):
    with pytest.raises(InvalidParameter) as refused:
        echo(services, tmp_path, inputs)

    assert refused.value.locator == locator


def test_unknown_outputs_and_processes_are_refused_with_the_existing_ones(services, tmp_path):
    with pytest.raises(InvalidParameter, match="it has string, number"):
        echo(services, tmp_path, {}, outputs={"nonsense": {}})
    with pytest.raises(UnknownPath, match=r"there are .*echo"):
        execute(Execution(process="nonsense", inputs={}), services, tmp_path)


def test_long_execution_is_refused_with_a_remedy(services, tmp_path):
    with pytest.raises(LimitExceeded, match="Prefer: respond-async"):
        echo(services, tmp_path, {"pause": 60})
