"""Tasks of a process done as workers do them: in any order, more than once, and ended when all are done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chronotile.core.model.job import Execution, Result
from chronotile.jobs.processes.execute import finish_results, plan_execution
from chronotile.jobs.processes.process import JobPlan, Work
from chronotile.jobs.processes.registry import process_of, processes
from chronotile.jobs.processes.sources import JobSource
from chronotile.jobs.queue.job_folder import make_folders
from chronotile.pipeline.services import Services
from tests.protocols import served


def work_in(
    folder: Path, services: Services, *, shared: Mapping[str, Any] | None = None, sources: Sequence[JobSource] = ()
) -> Work:
    """Return the work of tasks in the folder of a job; shared values go through JSON."""
    make_folders(folder)
    told = json.loads(json.dumps(shared or {}))
    return Work(services=services, folder=folder / "pieces", results=folder / "results", shared=told, sources=sources)


def do_oddly(name: str, inputs: Mapping[str, Any], services: Services, folder: Path) -> Mapping[str, Result]:
    """Do every task twice, in reverse order; shared and remembered values go through JSON."""
    plan, process = plan_of(name, inputs, services), process_of(name)
    work = work_in(folder, services, shared=plan.shared, sources=plan.sources)
    remembered: dict[int, Any] = {}
    for number in [*reversed(range(len(plan.tasks))), *range(len(plan.tasks))]:
        task = json.loads(json.dumps(plan.tasks[number]))
        remembered[number] = json.loads(json.dumps(process.run(inputs, task, work)))
    return finish_results(process, inputs, [remembered[number] for number in range(len(plan.tasks))], work)


def inputs_of(name: str, required: Mapping[str, Any], optional: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs of a process: the required ones from `required`, all declared ones from `optional`."""
    declared = process_of(name).inputs
    given = {each: value for each, value in required.items() if each in declared and declared[each].is_required}
    return given | {each: value for each, value in optional.items() if each in declared}


def reading_processes() -> list[str]:
    """Return the ids of all processes that read layers."""
    return [name for name, each in processes().items() if each.inputs.keys() & {"layer", "layers"}]


def tasks_of(name: str, inputs: Mapping[str, Any], services: Services) -> Sequence[Any]:
    """Return the tasks that are planned."""
    return plan_of(name, inputs, services).tasks


class FilesOfDates(served.FormulaReader):
    """Each date is in a separate file, so its revision is independent of the others."""

    def revision(self, variable: str, index: int) -> str:
        state = super().revision(variable, index).removesuffix(f"-{index}")
        return f"{state}-{self.info.variables[variable].times.starts[index]}"


def with_times(*days: str) -> Services:
    """Return services with one made layer, NDVI, that has those dates."""
    variable = served.make_variable(times=served.days_of(*days))
    return with_files_of_dates(served.make_services(served.make_collection(served.make_layer(variable=variable))))


def with_files_of_dates(services: Services) -> Services:
    """Return services whose made sources have a file for each date."""
    return replace(services, readers={name: FilesOfDates(each.info) for name, each in services.readers.items()})


def plan_of(name: str, inputs: Mapping[str, Any], services: Services) -> JobPlan:
    """Return the plan of an execution."""
    return plan_execution(Execution(process=name, inputs=inputs), services)
