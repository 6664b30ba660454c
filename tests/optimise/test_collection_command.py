"""Options of `chronotile optimise` for collections of items, and refused mistakes in them."""

import numpy as np
import pytest
from typer.testing import CliRunner

from chronotile.cli.cube_collections import CollectionOptions, parse_bbox, read_times, target_grid
from chronotile.cli.main import app
from chronotile.core.errors import InvalidParameter


def run(*words):
    return CliRunner().invoke(app, ["optimise", "new", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["cube"], "cube does not end in .zarr"),
        (["a.tif", "cube.zarr"], "with --collection, name the cube alone"),
        (["cube.zarr", "--time-pattern", "x"], "cannot be used with --collection"),
        (["cube.zarr", "--mosaic", "best"], "'best' is not one of"),
    ],
    ids=["no .zarr", "sources", "option of files", "rule"],
)
def test_options_that_do_not_fit_end_with_2(words, reason):
    result = run("--collection", "s2", *words)

    assert result.exit_code == 2
    assert reason in " ".join(result.output.split())


@pytest.mark.parametrize("words", [("--bbox", "1,2,3,4"), ("--times", "x"), ("--config", "x")])
def test_options_of_collections_need_one(words):
    result = run("a.tif", "cube.zarr", *words)

    assert result.exit_code == 2
    assert "it needs --collection" in " ".join(result.output.split())


def test_several_variables_need_a_collection():
    result = run("a.tif", "cube.zarr", "--variable", "RED", "--variable", "NIR")

    assert result.exit_code == 2
    assert "more than once with --collection only" in " ".join(result.output.split())


def test_crs_and_resolution_belong_together():
    given = CollectionOptions(
        config=None, collection="s2", variables=(), crs="EPSG:3035", resolution=None, bbox=None, mosaic=None, times=None
    )

    with pytest.raises(InvalidParameter, match="belong together"):
        given.request()


def test_resolution_is_above_0():
    with pytest.raises(InvalidParameter, match="--resolution must be above 0, got 0"):
        target_grid("EPSG:3035", 0.0)


def test_boxes_are_read():
    assert parse_bbox("2.5, 49.5,6.4,51.5") == (2.5, 49.5, 6.4, 51.5)
    assert parse_bbox("179,-20,-179,-10") == (179, -20, -179, -10)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,x", "1,50,2,40", "1,2,1,3", "0,0,200,1", "0,0,nan,1", "1,2,3,4,5"]
)
def test_invalid_box_is_refused(text):
    with pytest.raises(InvalidParameter, match=r"--bbox .* is not a box"):
        parse_bbox(text)


def test_times_are_read_line_by_line(tmp_path):
    file = tmp_path / "times.txt"
    file.write_text("# the season\n2024-06-01\n\n2024-07/2024-08  # two months\n../2020\n")

    day, months, before = read_times(file)

    assert (day.start, day.end) == (np.datetime64("2024-06-01"), np.datetime64("2024-06-02"))
    assert (months.start, months.end) == (np.datetime64("2024-07-01"), np.datetime64("2024-09-01"))
    assert before.end == np.datetime64("2021-01-01")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2024-06-01\nyesterday\n", "line 2 of times.txt"),
        ("2024-06-01,2024-06-02\n", "line 1 of times.txt is '2024-06-01,2024-06-02'"),
        ("2024/2025/P1M\n", "accepted is one instant or interval"),
        ("latest\n", "accepted is one instant or interval"),
        ("# none\n", "has no instant"),
    ],
)
def test_files_of_other_than_times_are_refused(tmp_path, text, reason):
    file = tmp_path / "times.txt"
    file.write_text(text)

    with pytest.raises(InvalidParameter, match=reason):
        read_times(file)


def test_a_file_of_times_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidParameter, match=r"times\.txt cannot be read: No such file"):
        read_times(tmp_path / "times.txt")
