"""Overviews of classes: the most frequent one, though no file marks numbers as classes."""

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

from chronotile.cli.main import app
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.optimise.conversion import Packing
from chronotile.readers.kinds import open_source
from tests.scenes import Scene, make_spec, write_tif

SCENE = Scene(width=300, height=280, scale=1.0, offset=0.0)
"""Large enough to have an overview."""


def commonest(t):
    """Return (y, x) classes of the overview: each is that of three of four native cells."""
    rows, columns = np.mgrid[: SCENE.height // 2, : SCENE.width // 2]
    return ((rows + 2 * columns + t) % 7 * 10).astype("uint8")


def native(t):
    """(y, x) classes whose fourth cells are of others."""
    numbers = commonest(t).repeat(2, axis=0).repeat(2, axis=1)
    numbers[1::2, 1::2] = 77
    return numbers


@pytest.fixture
def write_classes(tmp_path):
    """Return `write_classes(times, name="LAI")`, which writes files of some dates and returns their paths."""

    def run(times, *, name="LAI", scene=SCENE):
        paths = [tmp_path / f"{name}_{scene.days[t].replace('-', '')}.tif" for t in times]
        return [write_tif(path, native(t), scene) for path, t in zip(paths, times, strict=True)]

    return run


def overview(target, t, *, name="LAI"):
    reader = open_source(make_spec("zarr", target, variables={name: VariableSpec(id=name)}))
    grid = reader.info.variables[name].levels[1]
    return reader.read_window(name, index=t, level=1, window=Window(0, grid.height, 0, grid.width)).numbers


def test_overviews_of_configured_classes_have_the_most_frequent_value(write_classes, target):
    files = write_classes([0])

    result = CliRunner().invoke(
        app, ["optimise", "new", *map(str, files), str(target), "--layout", "both", "--classes", "LAI"]
    )

    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(overview(target, 0), commonest(0))


def test_variable_with_a_style_of_classes_has_classes(write_classes, write, target):
    write(write_classes([0], name="SCL"))

    np.testing.assert_array_equal(overview(target, 0, name="SCL"), commonest(0))


def test_a_scaled_variable_of_that_name_has_means(write_classes, write, target):
    write(write_classes([0], name="SCL", scene=Scene(width=300, height=280)))

    assert (overview(target, 0, name="SCL") != commonest(0)).any()


def test_a_cube_that_grows_keeps_its_overviews_of_classes(write_classes, write, target):
    first, second = write_classes([0, 1])
    write([first], classes=("LAI",))

    write([first, second])

    np.testing.assert_array_equal(overview(target, 1), commonest(1))


def test_series_that_grow_keep_their_classes(write_classes, write, target):
    first, second = write_classes([0, 1])
    write([first], layout="series", classes=("LAI",))

    write([first, second], layout="series")

    assert "scale_factor" not in zarr.open_array(target / "LAI", mode="r").attrs


def test_a_cube_of_means_takes_no_classes(write_classes, write):
    files = write_classes([0])
    write(files)

    with pytest.raises(UnsupportedSource, match="has means of LAI; name another cube for --classes"):
        write(files, classes=("LAI",))


def test_classes_are_not_scaled(write_classes, write):
    packing = Packing(dtype="int16", scale=0.1, offset=0)

    with pytest.raises(UnsupportedSource, match="LAI has classes, which --scale and --offset would change"):
        write(write_classes([0]), classes=("LAI",), packing=packing)


@pytest.mark.parametrize(
    ("scene", "told", "reason"),
    [(SCENE, "SCL", "no variable SCL in it; there are LAI"), (Scene(width=300, height=280), "LAI", "scaled")],
    ids=["another name", "scaled"],
)
def test_impossible_classes_are_refused(write_classes, write, scene, told, reason):
    with pytest.raises(UnsupportedSource, match=reason):
        write(write_classes([0], scene=scene), classes=(told,))
