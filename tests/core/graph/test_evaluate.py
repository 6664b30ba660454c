"""Evaluation of process graphs: order, scopes of parameters, released results, and errors with their node."""

import gc
import weakref

import numpy as np
import pytest

from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.evaluate import faults_of, prepare
from chronotile.core.graph.parse import parse_graph
from chronotile.core.graph.table import PROCESSES
from chronotile.core.graph.values import GraphProcess
from tests.core.graph.cubes import call, callback, make_cube, reducer, run


def node(process_id, /, *, result=False, **arguments):
    return {"process_id": process_id, "arguments": arguments, "result": result}


def test_a_callback_sees_the_parameters_around_it_and_its_own_first():
    nodes = {
        "apply": node(
            "apply", data={"from_parameter": "cube"}, process=callback("add", x="$x", y="$offset"), result=True
        )
    }

    result = run(nodes, cube=make_cube([[1.0, 2.0]]), offset=10, x=99)

    assert result.values.tolist() == [[11.0, 12.0]]


def test_only_nodes_that_the_result_needs_are_run():
    nodes = {"broken": node("divide", x="text", y=2), "sum": node("add", x=1, y=2, result=True)}

    assert run(nodes) == 3


def test_results_are_released_after_their_last_use():
    references = []

    def make():
        array = np.zeros(3)
        references.append(weakref.ref(array))
        return array

    def look(x):
        gc.collect()
        return [reference() is None for reference in references]

    processes = {**PROCESSES, "make": GraphProcess("make", make), "look": GraphProcess("look", look)}
    graph = {
        "a": node("make"),
        "b": node("count", data={"from_node": "a"}),
        "c": node("look", x={"from_node": "b"}, result=True),
    }

    assert prepare(parse_graph(graph), processes).run({}) == [True]


@pytest.mark.parametrize(
    ("nodes", "code", "words"),
    [
        (
            {"a": node("medain", data=[1])},
            "ProcessUnsupported",
            "'medain' is not available; the most similar name is median",
        ),
        ({"a": node("add", x=1)}, "ProcessParameterMissing", "add requires the argument y"),
        (
            {"a": node("add", x=1, y=2, z=3)},
            "ProcessParameterUnsupported",
            "add has no argument 'z'; accepted are x, y",
        ),
    ],
)
def test_unknown_processes_and_arguments_are_found_before_anything_runs(nodes, code, words):
    (fault,) = faults_of(parse_graph(nodes), PROCESSES)

    assert fault.code == code
    assert fault.node == "a"
    assert words in fault.message


def test_faults_in_callbacks_name_both_nodes():
    nodes = {"reduce": node("reduce_dimension", data=1, dimension="t", reducer=reducer("run_udf"))}

    (fault,) = faults_of(parse_graph(nodes), PROCESSES)

    assert fault.node == "reduce/call"


def test_errors_while_running_name_the_node_of_the_callback():
    with pytest.raises(ProcessFault) as refused:
        call("apply", data=make_cube([[1.0]]), process=callback("add", x="$x", y="$missing"))

    assert refused.value.node == "call/call"
    assert "the parameter 'missing' has no value" in refused.value.message


def test_arguments_of_a_wrong_type_are_refused():
    with pytest.raises(ProcessFault) as refused:
        call("reduce_dimension", data=make_cube([[1.0]]), reducer=7, dimension="x")

    assert refused.value.code == "ProcessParameterInvalid"


def test_a_chain_of_a_thousand_nodes_runs():
    nodes = {"0": node("add", x=0, y=1)}
    for number in range(1, 1000):
        nodes[str(number)] = node("add", x={"from_node": str(number - 1)}, y=1, result=number == 999)

    assert run(nodes) == 1000
