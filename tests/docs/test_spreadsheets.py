"""The files of docs/how-to/spreadsheets.md, written by its commands and read by LibreOffice Calc."""

import csv
import re
import subprocess
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.docs.blocks import in_language
from tests.docs.shell import SERVER, Shell
from tests.docs.site import DOCS
from tests.running import PATIENCE_S
from tests.strict import find_program

pytestmark = [pytest.mark.slow, pytest.mark.every_case, pytest.mark.client("bash", "curl", "soffice")]

PAGE = "docs/how-to/spreadsheets.md"
TEXT = (DOCS / "how-to" / "spreadsheets.md").read_text(encoding="utf-8")
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
QUOTE, UTF_8, FIRST_LINE = ord('"'), 76, 1


@dataclass(frozen=True, slots=True)
class Locale:
    """Options of Calc for opening a CSV file."""

    separator: str
    language: int
    """Microsoft's number of the language."""

    def __str__(self) -> str:
        return f"CSV:{ord(self.separator)},{QUOTE},{UTF_8},{FIRST_LINE},,{self.language}"


ENGLISH, GERMAN = Locale(",", 1033), Locale(";", 1031)
GERMAN_WITH_COMMAS = Locale(",", 1031)
Cell = str | float | None
"""A date is the text `date 2023-06-01`."""


def cell_of(element: ET.Element) -> Cell:
    kind = element.get(f"{OFFICE}value-type")
    if kind == "float":
        return float(element.get(f"{OFFICE}value", "nan"))
    if kind == "date":
        return f"date {element.get(f'{OFFICE}date-value')}"
    return "".join(element.itertext()).strip() or None


def cells_of(row: ET.Element) -> list[Cell]:
    cells = []
    for element in row.iterfind(f"{TABLE}table-cell"):
        cells += [cell_of(element)] * int(element.get(f"{TABLE}number-columns-repeated", "1"))
    return cells


@pytest.fixture(scope="module")
def open_in_calc(tmp_path_factory) -> Callable[[Path, Locale], list[dict[str, Cell]]]:
    """Return a function: it opens a file with the options of a locale and returns the rows by column."""
    folder = tmp_path_factory.mktemp("calc")

    def run(file: Path, locale: Locale) -> list[dict[str, Cell]]:
        command = [
            *(find_program("soffice"), f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"),
            *("--convert-to", "fods", f"--infilter={locale}", "--outdir", folder, file),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
        rows = ET.parse(folder / f"{file.stem}.fods").iter(f"{TABLE}table-row")
        header, *values = filter(any, map(cells_of, rows))
        return [dict(zip(header, row, strict=False)) for row in values]

    return run


@pytest.fixture(scope="module")
def files(server, tmp_path_factory):
    """Folder per block of the page, with the files that its commands write."""
    folders = []
    for block in in_language("sh"):
        if block.page == PAGE:
            folders.append(tmp_path_factory.mktemp("spreadsheets"))
            Shell(server, folders[-1]).run(block.text)
    return folders


def numbers_of(rows, column):
    return [row[column] for row in rows if row.get(column) is not None]


def values_in(file, column, *, delimiter=",", decimal="."):
    """Return the numbers of a column, read without Calc."""
    with file.open(encoding="utf-8", newline="") as text:
        rows = csv.DictReader(text, delimiter=delimiter)
        return [float(row[column].replace(decimal, ".")) for row in rows if row[column]]


def test_the_first_file_has_dates_and_numbers(files, open_in_calc):
    file = files[0] / "ndvi.csv"

    rows = open_in_calc(file, ENGLISH)

    assert list(rows[0]) == ["time", "value", "reason"]
    assert rows[0]["time"] == "date 2023-01-01"
    assert len(rows) == 36
    assert numbers_of(rows, "value") == values_in(file, "value")


def test_semicolons_are_for_decimal_commas(files, open_in_calc):
    file = files[1] / "ndvi.csv"

    rows = open_in_calc(file, GERMAN)

    assert {"layer", "units", "attribution"} < rows[0].keys()
    assert rows[0]["time"] == "date 2023-01-01"
    assert numbers_of(rows, "value") == values_in(file, "value", delimiter=";", decimal=",")
    assert "NDVI;" in file.read_text(encoding="utf-8")


def test_german_calc_misreads_decimal_points(files, open_in_calc):
    """The reason for the table of the page: remove its warning if Calc reads them."""
    rows = open_in_calc(files[0] / "ndvi.csv", GERMAN_WITH_COMMAS)

    assert "Otherwise it reads `0.688` as 688 or as text" in TEXT
    values = numbers_of(rows, "value")
    assert {type(value) for value in values} == {float, str}
    assert all(value.is_integer() for value in values if isinstance(value, float))


def test_ids_keep_their_umlauts(files, open_in_calc):
    rows = open_in_calc(files[2] / "fields.csv", GERMAN)

    assert {row["id"] for row in rows} == {"Südfeld"}
    assert len(rows) == 36
    assert all(isinstance(number, float) for name in ("mean", "p10", "p90") for number in numbers_of(rows, name))
    assert len(numbers_of(rows, "mean")) > 20


def test_the_matrix_of_places_has_a_number_per_place_and_date(files, open_in_calc):
    regions, matrix = (open_in_calc(files[3] / f"{name}.csv", ENGLISH) for name in ("regions", "matrix"))

    of_mechelen = {row["time"]: row["mean"] for row in matrix if row["id"] == "mechelen"}
    assert len(regions) == len(of_mechelen) == 36
    assert {row["time"]: row["mean"] for row in regions} == of_mechelen


def test_the_table_of_pandas_opens_with_decimal_commas(files, open_in_calc, tmp_path, monkeypatch):
    page = (DOCS / "how-to" / "pandas.md").read_text(encoding="utf-8")
    write = re.search(r"`(table\.to_csv\([^`]+\))`", page)[1]
    table = pd.read_csv(files[2] / "fields.csv", sep=";", decimal=",", parse_dates=["time"])
    monkeypatch.chdir(tmp_path)

    exec(write, {"table": table})

    rows = open_in_calc(tmp_path / "fields.csv", GERMAN)
    assert {row["id"] for row in rows} == {"Südfeld"}
    assert rows[0]["time"] == "date 2023-01-01"
    assert numbers_of(rows, "mean") == pytest.approx(table["mean"].dropna().to_list())


def test_the_address_of_a_table_that_updates_is_answered(server):
    address = re.search(r'=IMPORTDATA\("https://…([^"]+)"\)', TEXT)[1]

    with urllib.request.urlopen(server + address, timeout=PATIENCE_S) as answer:
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.readline() == b"time,value,reason\n"
    assert SERVER not in address
