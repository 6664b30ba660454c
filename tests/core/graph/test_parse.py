"""Parsing of process graphs: references, limits, and broken documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.parse import MAX_DEPTH, MAX_NODES, Graph, NodeReference, ParameterReference, parse_graph

PI = {"process_id": "pi", "arguments": {}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "process_id", "arguments", "result", "from_node", "from_parameter", "process_graph"]),
            values,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def reference(node):
    return {"process_id": "absolute", "arguments": {"x": {"from_node": node}}}


def test_nodes_follow_the_nodes_that_they_use():
    graph = parse_graph({"last": {**reference("middle"), "result": True}, "middle": reference("first"), "first": PI})

    assert [node.id for node in graph.nodes] == ["first", "middle", "last"]
    assert graph.result == "last"


def test_references_and_callbacks_are_replaced():
    callback = {"process_graph": {"only": {"process_id": "absolute", "arguments": {"x": {"from_parameter": "x"}}}}}
    arguments = {"data": {"from_parameter": "cube"}, "process": callback, "context": [{"from_node": "pi"}]}
    graph = parse_graph(
        {"process_graph": {"pi": PI, "apply": {"process_id": "apply", "arguments": arguments, "result": True}}}
    )

    (node,) = (node for node in graph.nodes if node.id == "apply")
    assert node.arguments["data"] == ParameterReference("cube")
    assert node.arguments["context"] == [NodeReference("pi")]
    assert isinstance(node.arguments["process"], Graph)


@pytest.mark.parametrize(
    ("document", "code", "words"),
    [
        (None, "ProcessGraphMissing", "None is not an object"),
        ({}, "ProcessGraphMissing", "{}"),
        ({"a": PI, "b": PI}, "ProcessGraphInvalid", "no node has result: true"),
        ({"a": {**PI, "result": True}, "b": {**PI, "result": True}}, "ProcessGraphInvalid", "several nodes"),
        ({"a": reference("b"), "b": {**reference("a"), "result": True}}, "ProcessGraphInvalid", "are a cycle"),
        ({"a": reference("gone")}, "ProcessGraphInvalid", "there is no node 'gone'; accepted are ['a']"),
        ({"a": 3}, "ProcessGraphInvalid", "node 'a': 3 is not a node"),
        ({"a": {"process_id": 7}}, "ProcessGraphInvalid", "process_id: 7"),
        ({"a": {"process_id": "pi", "arguments": []}}, "ProcessGraphInvalid", "arguments: []"),
        ({"a": {**PI, "namespace": 4}}, "ProcessGraphInvalid", "namespace: 4"),
        ({"a": {"process_id": "absolute", "arguments": {"x": 10**400}}}, "ProcessParameterInvalid", "401 digits"),
        (
            {str(number): PI for number in range(MAX_NODES + 1)},
            "ProcessGraphComplexity",
            f"more than {MAX_NODES} nodes",
        ),
    ],
)
def test_broken_graphs_are_refused_with_the_node(document, code, words):
    with pytest.raises(ProcessFault) as refused:
        parse_graph(document)

    assert refused.value.code == code
    assert words in refused.value.message


def test_deep_nesting_is_refused():
    value = "x"
    for _ in range(MAX_DEPTH + 1):
        value = [value]

    with pytest.raises(ProcessFault, match="nested deeper than 64 levels") as refused:
        parse_graph({"a": {"process_id": "count", "arguments": {"data": value}}})

    assert refused.value.code == "ProcessGraphComplexity"


def test_nodes_of_callbacks_count():
    inner = {str(number): PI for number in range(MAX_NODES)} | {"end": {**PI, "result": True}}

    with pytest.raises(ProcessFault, match=f"more than {MAX_NODES} nodes"):
        parse_graph({"a": {"process_id": "apply", "arguments": {"process": {"process_graph": inner}}}})


@given(JSON)
def test_any_json_is_a_graph_or_refused(document):
    def parse():
        try:
            return parse_graph(document)
        except ProcessFault as fault:
            return fault

    outcome = parse()

    if isinstance(outcome, ProcessFault):
        assert outcome.message
    else:
        assert outcome.result in [node.id for node in outcome.nodes]
