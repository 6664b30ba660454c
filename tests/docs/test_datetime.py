"""Every form of docs/reference/datetime.md selects the number of dates in its table, in the demo of two years."""

import re

import pytest

from tests.docs.site import DOCS

pytestmark = pytest.mark.every_case

PAGE = (DOCS / "reference" / "datetime.md").read_text(encoding="utf-8")
GRAMMAR = PAGE.partition("| --- | --- | --- | --- |\n")[2].partition("\n\n")[0]
ROWS = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in GRAMMAR.splitlines()]
FORMS = [
    (text, int(count))
    for _, examples, _, counts in (row if len(row) == 4 else (row[0], "", row[-2], row[-1]) for row in ROWS)
    for text, count in zip(re.findall("`([^`]+)`", examples) or [""], counts.split(", "), strict=True)
]
REFUSED = re.findall(r"`([^`]+)`", re.search(r"^Not accepted: .*$", PAGE, re.MULTILINE)[0])


@pytest.mark.slow
@pytest.mark.parametrize(("text", "count"), FORMS)
def test_a_form_of_the_grammar_selects_the_dates_of_the_table(client, text, count):
    query = {"lon": "4.4", "lat": "51.0"} | ({"datetime": text} if text else {})

    answer = client.get("/timeseries/NDVI/point", params=query)

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["times"]) == count


@pytest.mark.slow
@pytest.mark.parametrize("text", REFUSED)
def test_values_refused_by_the_page_are_refused(client, text):
    answer = client.get("/timeseries/NDVI/point", params={"lon": "4.4", "lat": "51.0", "datetime": text})

    assert answer.status_code == 400
    assert answer.json()["parameter"] == "datetime"
