"""Evaluation of process graphs.

A graph is prepared once: each node becomes a step with its process and its arguments. Running the steps in order gives
the result. A child graph, such as the reducer of `reduce_dimension`, becomes a function that processes call with whole
arrays. The result of a step is released after the last step that uses it, so that no window stays in memory longer than
necessary.
"""

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chronotile.core.graph.errors import ProcessFault, invalid
from chronotile.core.graph.parse import Graph, GraphNode, NodeReference, ParameterReference, references_in
from chronotile.core.graph.values import GraphProcess

Processes = Mapping[str, GraphProcess]
ParameterValues = Mapping[str, Any]
StepObserver = Callable[[str, ParameterValues, Any], None]


@dataclass(frozen=True, slots=True)
class _PreparedNode:
    node: GraphNode
    process: GraphProcess
    released: tuple[str, ...]
    """Nodes whose results no later step uses."""


@dataclass(frozen=True, slots=True)
class PreparedGraph:
    """A graph whose processes exist and have all required arguments."""

    steps: tuple[_PreparedNode, ...]
    result: str
    processes: Processes

    def run(self, parameters: ParameterValues, watch: StepObserver | None = None) -> Any:  # noqa: ANN401 -- any value of a graph
        """Return the result.

        Args:
            parameters: Parameters of the graph by name; a child graph also gets the parameters around it.
            watch: It gets name, arguments and result of each process, except processes of child graphs.

        Raises:
            ProcessFault: A process does not accept its arguments, or a parameter has no value.
        """
        results: dict[str, Any] = {}
        for step in self.steps:
            try:
                arguments = {
                    name: self._value(value, results, parameters) for name, value in step.node.arguments.items()
                }
                results[step.node.id] = _call(step.process, arguments)
                if watch is not None:
                    watch(step.process.name, arguments, results[step.node.id])
            except ProcessFault as fault:
                raise fault.inside(step.node.id) from fault.__cause__
            for name in step.released:
                del results[name]
        return results[self.result]

    def _value(self, value: object, results: ParameterValues, parameters: ParameterValues) -> Any:  # noqa: ANN401 -- any value
        match value:
            case NodeReference(node):
                return results[node]
            case ParameterReference(name):
                if name not in parameters:
                    raise ProcessFault("ProcessParameterMissing", f"the parameter {name!r} has no value")
                return parameters[name]
            case Graph():
                return _child_function(value, self.processes, parameters)
            case Mapping():
                return {key: self._value(member, results, parameters) for key, member in value.items()}
            case list():
                return [self._value(member, results, parameters) for member in value]
        return value


def prepare(graph: Graph, processes: Processes) -> PreparedGraph:
    """Return a graph that can be run.

    Raises:
        ProcessFault: The first of `faults_of`.
    """
    for fault in faults_of(graph, processes):
        raise fault
    return _prepare(graph, processes)


def faults_of(graph: Graph, processes: Processes) -> Iterator[ProcessFault]:
    """Yield an error for each unknown process, and each missing or unknown argument, child graphs included."""
    for node in graph.nodes:
        for fault in _faults_of_node(node, processes):
            yield fault.inside(node.id)


def _faults_of_node(node: GraphNode, processes: Processes) -> Iterator[ProcessFault]:
    process = processes.get(node.process)
    if process is None:
        similar = difflib.get_close_matches(node.process, processes, n=1, cutoff=0)
        nearest = f"; the most similar name is {similar[0]}" if similar else ""
        yield ProcessFault("ProcessUnsupported", f"the process {node.process[:60]!r} is not available{nearest}")
    else:
        accepted = parameters_of(process)
        for name, parameter in accepted.items():
            if name not in node.arguments and parameter.default is inspect.Parameter.empty:
                yield ProcessFault("ProcessParameterMissing", f"{node.process} requires the argument {name}")
        for name in node.arguments:
            if name not in accepted:
                names = ", ".join(accepted) or "none"
                reason = f"{node.process} has no argument {name[:60]!r}; accepted are {names}"
                yield ProcessFault("ProcessParameterUnsupported", reason)
    for child in _child_graphs_in(node.arguments):
        yield from faults_of(child, processes)


@lru_cache(maxsize=512)
def parameters_of(process: GraphProcess) -> Mapping[str, inspect.Parameter]:
    """Return the arguments of a process by name; required ones have no default."""
    return inspect.signature(process.call).parameters


def _prepare(graph: Graph, processes: Processes) -> PreparedGraph:
    needed = {graph.result}
    for node in reversed(graph.nodes):
        if node.id in needed:
            needed.update(
                reference.node for reference in references_in(node.arguments) if isinstance(reference, NodeReference)
            )
    nodes = [node for node in graph.nodes if node.id in needed]
    last_use = {}
    for index, node in enumerate(nodes):
        last_use.update({r.node: index for r in references_in(node.arguments) if isinstance(r, NodeReference)})
    steps = tuple(
        _PreparedNode(node, processes[node.process], tuple(name for name, last in last_use.items() if last == index))
        for index, node in enumerate(nodes)
    )
    return PreparedGraph(steps, graph.result, processes)


def _child_function(graph: Graph, processes: Processes, outer: ParameterValues) -> Callable[..., Any]:
    prepared = _prepare(graph, processes)

    def call(**parameters: Any) -> Any:  # noqa: ANN401 -- any value of a graph
        return prepared.run({**outer, **parameters})

    return call


def _call(process: GraphProcess, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 -- any value of a graph
    try:
        return process.call(**arguments)
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        # Arguments from outside have any type; each process checks only the properties that it needs.
        raise invalid(process.name, f"the arguments are not accepted: {str(error)[:200]}") from error


def _child_graphs_in(value: object) -> Iterator[Graph]:
    match value:
        case Graph():
            yield value
        case Mapping():
            for member in value.values():
                yield from _child_graphs_in(member)
        case list():
            for member in value:
                yield from _child_graphs_in(member)
