"""The key `select` of a variable: one step of each further dimension, such as depth."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from chronotile.model.source import Step
from chronotile.sections import Number, Section, Text


class StepSection(Section):
    """A step of a dimension by its position."""

    index: Annotated[int, Field(ge=0)]
    """Counted from 0."""


def _kind_of_step(given: object) -> str:
    if isinstance(given, dict | StepSection):
        return "<position>"
    return "<text>" if isinstance(given, str) else "<number>"


SelectedStep = Annotated[
    Annotated[Number, Tag("<number>")] | Annotated[Text, Tag("<text>")] | Annotated[StepSection, Tag("<position>")],
    Discriminator(_kind_of_step),
]

Select = dict[Text, SelectedStep]


def steps_of(select: Mapping[str, float | str | StepSection]) -> tuple[Step, ...]:
    """Return the steps as readers take them."""
    return tuple(
        Step(dimension=name, index=step.index) if isinstance(step, StepSection) else Step(dimension=name, value=step)
        for name, step in select.items()
    )
