"""Checks of executions, and synchronous execution of small ones."""

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnknownParameter
from chronotile.core.model.job import Execution, Result
from chronotile.core.model.types import Json
from chronotile.jobs.processes.input_schema import fault_in
from chronotile.jobs.processes.process import Inputs, JobPlan, Process, Work
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.processes.sources import find_revisions, metadata_of, require_unchanged
from chronotile.jobs.processes.work.partial_results import add_unreadable, run_task
from chronotile.pipeline.estimate import require_seconds
from chronotile.pipeline.services import Services

ASK_FOR_A_JOB = "request a job with the header Prefer: respond-async"


def plan_execution(execution: Execution, services: Services) -> JobPlan:
    """Check an execution and return its plan; reads no pixels.

    Raises:
        InvalidParameter: An input or output is unknown, missing or against its schema; the locator is its JSON path.
        ChronotileError: The archive lacks a layer or another name in the inputs.
    """
    process = process_of(execution.process)
    require_known(process, execution.inputs, execution.outputs or ())
    for name, spec in process.inputs.items():
        if name in execution.inputs:
            _check(execution.inputs[name], spec.accepted, name)
        elif spec.is_required:
            raise InvalidParameter(f"{process.id} needs the input {name}: {spec.description}", locator=f"inputs.{name}")
    plan = process.plan(execution.inputs, services)
    return replace(plan, sources=find_revisions(plan.sources, services))


def require_known(process: Process, inputs: Collection[str], outputs: Collection[str]) -> None:
    """Refuse names of inputs and outputs that a process does not have.

    Raises:
        UnknownParameter: A name is unknown; the locator is its path in the execution.
    """
    for name in inputs:
        if name not in process.inputs:
            raise UnknownParameter(
                f"{process.id} has no input {name[:MAX_SHOWN]!r}; it has {', '.join(process.inputs) or 'none'}",
                locator=f"inputs.{name[:MAX_SHOWN]}",
            )
    for name in outputs:
        if name not in process.outputs:
            raise UnknownParameter(
                f"{process.id} has no output {name[:MAX_SHOWN]!r}; it has {', '.join(process.outputs)}",
                locator=f"outputs.{name[:MAX_SHOWN]}",
            )


def execute(
    execution: Execution,
    services: Services,
    folder: Path,
    *,
    plan: JobPlan | None = None,
    is_active: Callable[[], bool] = lambda: True,
) -> Mapping[str, Result]:
    """Run a small execution and return its results, with their files in `folder`.

    Args:
        execution: Process to run, with its inputs.
        services: Services that read the data.
        folder: Folder of the result files.
        plan: Plan from `plan_execution` with the same services; made here if `None`.
        is_active: Whether the client still waits; called between two steps.

    Raises:
        LimitExceeded: It would take longer than a client waits, or more memory than an answer may; a job can do it.
        ServerBusy: Other answers use the memory that it needs.
        ChronotileError: See `plan_execution`; also any error of the tasks.
    """
    process, plan = process_of(execution.process), plan or plan_execution(execution, services)
    require_seconds(plan.seconds, services, alternative=ASK_FOR_A_JOB, locator="Prefer")
    memory = services.memory.taking(plan.held_bytes, alternative=ASK_FOR_A_JOB, locator="Prefer", is_active=is_active)
    with memory, tempfile.TemporaryDirectory(dir=folder) as work_folder:
        work = Work(
            services=services,
            folder=Path(work_folder),
            results=folder,
            shared=plan.shared,
            sources=plan.sources,
            is_active=is_active,
        )
        done = [run_task(process, execution.inputs, task, work) for task in plan.tasks]
        return select_results(process, execution.outputs, finish_results(process, execution.inputs, done, work))


def finish_results(process: Process, inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    """Return the results of finished tasks, with metadata about sources and unreadable dates.

    Args:
        process: The process.
        inputs: Inputs of the execution.
        done: Results of tasks, in their order.
        work: Services, folders and plan of the tasks.

    Raises:
        PlanOutdated: A source has changed since the plan, so tasks may have read two states of it.
        ChronotileError: Any error while results are made.
    """
    require_unchanged(work.sources, work.services)
    metadata = metadata_of(work.sources)
    results = process.finish(inputs, done, work)
    return add_unreadable({name: replace(result, metadata=metadata) for name, result in results.items()}, done)


def select_results(
    process: Process, outputs: Mapping[str, Json] | None, results: Mapping[str, Result]
) -> Mapping[str, Result]:
    """Return the requested results, all if `outputs` is `None`, in the order of the process."""
    names = process.outputs if outputs is None else outputs
    return {name: results[name] for name in process.outputs if name in names and name in results}


def _check(value: object, schema: Json, name: str) -> None:
    fault = fault_in(value, schema)
    if fault is not None:
        path = f"inputs.{name}{fault.place}"
        raise InvalidParameter(f"{path} {fault.words}", locator=path)
