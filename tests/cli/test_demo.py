"""Output of `chronotile demo` to a file or a pipe."""

import os
import subprocess

import pytest

from chronotile.cli.opening import progress_bar
from chronotile.demo.archive import demo_at
from tests.running import PATIENCE_S, PROGRAM


def test_lines_of_steps_and_fifths_replace_the_bar(capsys):
    with progress_bar("making the demo archive", has_lines=True) as progress:
        for step, share in [("landscape", 0.0), ("landscape", 0.0), ("cube", 0.16), ("cube", 0.19), ("cube", 0.8)]:
            progress(step, share)
        progress("pictures", 0.9)

    assert capsys.readouterr().out.splitlines() == [
        "making the demo archive: landscape, 0%",
        "making the demo archive: cube, 16%",
        "making the demo archive: cube, 80%",
        "making the demo archive: pictures, 90%",
    ]


def test_other_commands_print_no_steps(capsys):
    with progress_bar("inspecting the data") as progress:
        progress("s2", 0.5)

    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_the_demo_prints_its_first_line_before_anything_is_made(tmp_path):
    folder = tmp_path / "demo"
    command = [PROGRAM, "demo", "--dir", folder, "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHRONOTILE_")}

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        is_made = demo_at(folder) is not None
        process.terminate()
        process.communicate(timeout=PATIENCE_S)

    assert [line.partition(",")[0] for line in lines] == [
        f"making the demo archive: {step}" for step in ("landscape", "cube")
    ]
    assert not is_made
