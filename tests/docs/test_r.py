"""The programs of docs/how-to/r.md run in R, with the demo."""

import re
import subprocess

import pytest

from tests.docs.blocks import in_language
from tests.docs.shell import SERVER
from tests.docs.site import DOCS
from tests.strict import find_program

pytestmark = [pytest.mark.every_case, pytest.mark.slow]

BLOCKS = in_language("r")
PAGE = (DOCS / "how-to" / "r.md").read_text(encoding="utf-8")
WRITE_FIELDS = """
fields <- sf::st_transform(sf::st_read("SERVER/places/fields?format=geojson", quiet = TRUE), 3035)
fields <- fields[1:5, ]
fields$id <- paste0("my-", 1:5)
sf::st_write(fields, "fields.gpkg", quiet = TRUE)
"""


def run_r(program, folder):
    """Run a program in R. Its warnings are errors."""
    command = [find_program("Rscript"), "-e", "options(warn = 2)", "-e", program]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def packages():
    """Names of the installed packages that programs of the page load."""
    names = sorted({name for block in BLOCKS for name in re.findall(r"^library\((\w+)\)", block.text, re.MULTILINE)})
    program = "for (name in c({})) if (requireNamespace(name, quietly = TRUE)) cat(name, '')"
    command = [find_program("Rscript"), "-e", program.format(", ".join(f"'{name}'" for name in names))]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def skip_without(packages, program):
    absent = set(re.findall(r"^library\((\w+)\)", program, re.MULTILINE)) - packages
    if absent:
        pytest.skip(f"R packages are absent: {absent} (Debian: r-cran-httr2, r-cran-sf, r-cran-terra)")


@pytest.mark.client("Rscript")
@pytest.mark.parametrize("block", [block for block in BLOCKS if "library(" not in block.text], ids=str)
def test_programs_run_in_base_r(server, tmp_path, block):
    run_r(block.text.replace(SERVER, server), tmp_path)


@pytest.mark.client("Rscript")
def test_series_of_fields_have_their_ids(server, tmp_path, packages):
    (block,) = [block for block in BLOCKS if "st_write(" in block.text]
    skip_without(packages, block.text)
    run_r(WRITE_FIELDS.replace("SERVER", server), tmp_path)

    printed = run_r(
        block.text.replace(SERVER, server) + "\ncat(unique(series$id), nrow(series), sum(!is.na(series$mean)))",
        tmp_path,
    )

    *ids, rows, values = printed.splitlines()[-1].split()
    assert ids == [f"my-{number}" for number in range(1, 6)]
    assert int(rows) == 5 * 36
    assert int(values) > 100


@pytest.mark.client("Rscript")
def test_fields_with_values_are_read_by_their_address(server, tmp_path, packages):
    skip_without(packages, "library(sf)")
    call = re.search(r"`(st_read\([^`]+\))`", PAGE)[1].replace(SERVER, server)

    printed = run_r(f"library(sf)\nfields <- {call}\ncat(nrow(fields), sum(!is.na(fields$NDVI)) > 100)", tmp_path)

    assert printed.splitlines()[-1] == "752 TRUE"


@pytest.mark.client("Rscript")
def test_terra_applies_scale_and_offset(server, tmp_path, packages):
    (block,) = [block for block in BLOCKS if "library(terra)" in block.text]
    skip_without(packages, block.text)

    printed = run_r(block.text.replace(SERVER, server) + "\ncat(range(values(ndvi), na.rm = TRUE))", tmp_path)

    low, high = map(float, printed.splitlines()[-1].split())
    assert -0.08 <= low < 0.3 < high <= 0.92
