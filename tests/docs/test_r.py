"""The programs of docs/how-to/r.md run in R, with the demo."""

import subprocess

import pytest

from tests.docs.blocks import in_language
from tests.docs.shell import SERVER
from tests.strict import find_program

pytestmark = pytest.mark.every_case


@pytest.mark.slow
@pytest.mark.client("Rscript")
@pytest.mark.parametrize("block", in_language("r"), ids=str)
def test_programs_run_in_r(server, tmp_path, block):
    command = [find_program("Rscript"), "-e", "options(warn = 2)", "-e", block.text.replace(SERVER, server)]

    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
