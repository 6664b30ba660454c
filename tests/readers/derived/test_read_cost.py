"""Estimates of reading: a variable costs at least as much as all its inputs, for any inputs."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from chronotile.core.model.expression import parse_expression
from chronotile.core.model.source import Mask, SourceSpec, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.core.read_cost import ReadCost
from chronotile.readers.derived.derive import derive_variables
from chronotile.readers.kinds import open_source
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from tests.scenes import KINDS, Scene, write_scene

WINDOW = Window(0, 16, 0, 16)


def derived_variables(chance: random.Random, count: int) -> Mapping[str, VariableSpec]:
    """Return formulas, each over some of those before it, some of them masked by the stored variable."""
    names, made = ["NDVI"], {}
    for number in range(count):
        over = sorted(set(chance.choices(names, k=chance.randint(1, 3))))
        formula = parse_expression(" + ".join(over) if len(over) > 1 else f"{over[0]} + 1", dict.fromkeys(names))
        mask = Mask(variable="NDVI", keep=(1, 2, 3)) if chance.random() < 0.4 else None
        name = f"V{number}"
        made[name] = VariableSpec(id=name, formula=formula, mask=mask)
        names += [] if mask else [name]  # formulas take others without the masks on top of these
    return made


def opened(kind: str, folder, variables: Mapping[str, VariableSpec]) -> tuple[Reader, SourceSpec]:
    spec = write_scene(kind, folder, Scene())
    spec = replace(spec, variables={**spec.variables, **variables})
    return derive_variables(open_source(spec.stored, ReaderCaches()), spec), spec


def cost_of(reader: Reader, name: str) -> ReadCost:
    return reader.read_cost(name, indexes=[0, 1, 2], window=WINDOW, along="space")


def parts_of(spec: VariableSpec) -> Iterator[str]:
    yield from () if spec.formula is None else spec.formula.names
    yield from () if spec.mask is None else [spec.mask.variable]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_derived_variable_costs_more_than_its_parts(kind: str, seed: int, tmp_path) -> None:
    variables = derived_variables(random.Random(seed), 6)
    reader, _spec = opened(kind, tmp_path, variables)

    for name, spec in variables.items():
        parts = [cost_of(reader, each) for each in parts_of(spec)]
        whole = cost_of(reader, name)
        assert whole.value_s > sum(each.value_s for each in parts)
        assert whole.block_s >= sum(each.block_s for each in parts) * 0.999
        assert max(each.opening_s for each in parts) <= whole.opening_s <= sum(each.opening_s for each in parts)


def test_files_of_more_dates_cost_more_to_open(tmp_path) -> None:
    reader, _spec = opened("cog", tmp_path, {})
    one, three = (reader.read_cost("NDVI", indexes=some, window=WINDOW, along="time") for some in ([0], [0, 1, 2]))

    assert three.opening_s == pytest.approx(3 * one.opening_s)
    assert one.opening_s > 0
