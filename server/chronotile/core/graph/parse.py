"""Process graphs as JSON: nodes, references and child graphs (openEO API 1.2, "Processes")."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from chronotile.core.graph.errors import ProcessFault, invalid, shorten

MAX_NODES = 1000
"""Maximum number of nodes of a graph, with the nodes of its child graphs."""
MAX_DEPTH = 64
"""Maximum nesting of child graphs and of values in arguments."""
MAX_NUMBER = 1 << 1023
"""Integers beyond it are no floating-point numbers."""


class NodeReference(NamedTuple):
    """`{"from_node": …}`: the result of another node."""

    node: str


class ParameterReference(NamedTuple):
    """`{"from_parameter": …}`: a parameter of the child graph or of the graph."""

    name: str


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A call of a process."""

    id: str
    process: str
    namespace: str | None
    arguments: Mapping[str, object]
    """JSON values; references and child graphs are `NodeReference`, `ParameterReference` and `Graph`."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A process graph without cycles."""

    nodes: tuple[GraphNode, ...]
    """All nodes; each follows the nodes that it refers to."""
    result: str
    """Id of the node with the result."""


def parse_graph(document: object) -> Graph:
    """Return the graph of a JSON object with the nodes by id, or with the member `process_graph`.

    Raises:
        ProcessFault: The graph has no or several results, a cycle, an unknown node, a malformed node, more than
            `MAX_NODES` nodes, or arguments nested deeper than `MAX_DEPTH`.
    """
    return _GraphParser().graph(document, 0)


def references_in(value: object) -> Iterator[NodeReference | ParameterReference]:
    """Yield the references in an argument, without the nodes of its child graphs."""
    if isinstance(value, NodeReference | ParameterReference):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from references_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from references_in(member)


class _GraphParser:
    def __init__(self) -> None:
        self._count = 0

    def graph(self, document: object, depth: int) -> Graph:
        if isinstance(document, Mapping) and isinstance(document.get("process_graph"), Mapping):
            document = document["process_graph"]
        if not isinstance(document, Mapping) or not document:
            raise ProcessFault("ProcessGraphMissing", f"process_graph: {shorten(document)} is not an object with nodes")
        self._count += len(document)
        if self._count > MAX_NODES:
            raise ProcessFault("ProcessGraphComplexity", f"the graph has more than {MAX_NODES} nodes")
        nodes, results = {}, []
        for name, fields in document.items():
            try:
                nodes[name] = self._node(name, fields, depth + 1)
            except ProcessFault as fault:
                raise fault.inside(str(name)) from None
            if fields.get("result") is True:
                results.append(name)
        if len(results) > 1:
            raise ProcessFault("ProcessGraphInvalid", f"several nodes have result: true: {shorten(results)}")
        if not results:
            if len(nodes) > 1:
                raise ProcessFault("ProcessGraphInvalid", "no node has result: true")
            results = list(nodes)
        return Graph(_order(nodes), results[0])

    def _node(self, name: object, fields: object, depth: int) -> GraphNode:
        if not isinstance(name, str) or not name:
            raise ProcessFault("ProcessGraphInvalid", "the id of a node is empty")
        if not isinstance(fields, Mapping):
            raise ProcessFault("ProcessGraphInvalid", f"{shorten(fields)} is not a node; accepted is an object")
        process, namespace = fields.get("process_id"), fields.get("namespace")
        if not isinstance(process, str) or not process:
            raise ProcessFault("ProcessGraphInvalid", f"process_id: {shorten(process)} is not the name of a process")
        if namespace is not None and not isinstance(namespace, str):
            raise ProcessFault("ProcessGraphInvalid", f"namespace: {shorten(namespace)} is not a text")
        arguments = fields.get("arguments", {})
        if not isinstance(arguments, Mapping):
            raise ProcessFault("ProcessGraphInvalid", f"arguments: {shorten(arguments)} is not an object")
        values = {key: self._value(str(key), value, depth + 1) for key, value in arguments.items()}
        return GraphNode(name, process, namespace, values)

    def _value(self, name: str, value: object, depth: int) -> object:
        if depth > MAX_DEPTH:
            raise ProcessFault("ProcessGraphComplexity", f"{name}: the graph is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, Mapping):
            if isinstance(value.get("from_node"), str):
                return NodeReference(value["from_node"])
            if isinstance(value.get("from_parameter"), str):
                return ParameterReference(value["from_parameter"])
            if "process_graph" in value:
                return self.graph(value, depth)
            return {key: self._value(name, member, depth + 1) for key, member in value.items()}
        if isinstance(value, list):
            return [self._value(name, member, depth + 1) for member in value]
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise invalid(
                name, f"a number with {len(str(value // 10**200)) + 200} digits is beyond floating-point numbers"
            )
        return value


def _order(nodes: Mapping[str, GraphNode]) -> tuple[GraphNode, ...]:
    uses = {name: _used_nodes(node) for name, node in nodes.items()}
    for name, used in uses.items():
        unknown = [other for other in used if other not in nodes]
        if unknown:
            reason = f"from_node: there is no node {shorten(unknown[0])}; accepted are {shorten(sorted(nodes))}"
            raise ProcessFault("ProcessGraphInvalid", reason, node=name)
    try:
        return tuple(nodes[name] for name in TopologicalSorter(uses).static_order())
    except CycleError as error:
        cycle = " → ".join(reversed(error.args[1]))
        raise ProcessFault("ProcessGraphInvalid", f"the references of nodes are a cycle: {cycle[:200]}") from None


def _used_nodes(node: GraphNode) -> list[str]:
    references = references_in(node.arguments)
    return [reference.node for reference in references if isinstance(reference, NodeReference)]


def is_finite(value: object) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
