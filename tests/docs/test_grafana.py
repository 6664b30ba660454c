"""Panels of docs/how-to/grafana.md, with requests as Grafana's Infinity data source sends them.

Infinity writes several values of a variable as `{a,b}`, encodes the address, and applies the filter to the rows.
"""

import csv
import io
import re

import pytest

from tests.docs.shell import SERVER
from tests.docs.site import DOCS

pytestmark = pytest.mark.slow

PAGE = (DOCS / "how-to" / "grafana.md").read_text(encoding="utf-8")
INTERVAL = {
    "${__from:date:iso}": "2023-01-01T00:00:00.000Z",
    "${__to:date:iso}": "2023-02-28T23:59:59.999Z",
}
DATES = 6
"""Dates of the demo in the interval."""
FIELDS = (
    '{"type": "FeatureCollection", "features": [{"type": "Feature", "id": "my-field", "properties": {}, "geometry": \
{"type": "Polygon", "coordinates": [[[4.40, 51.00], [4.41, 51.00], [4.41, 51.01], [4.40, 51.00]]]}}]}'
)


def section(heading):
    """Return the text below a heading of the page."""
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]


def panel(heading):
    """Return the fields of the panel below a heading."""
    rows = re.findall(r"^\| ([A-Z]\w+) \| (.+) \|$", section(heading), re.MULTILINE)
    return dict(rows)


def expand(text, regions=()):
    """Return a text with the variables replaced as Grafana does."""
    for name, value in INTERVAL.items():
        text = text.replace(name, value)
    quoted = ",".join(f"'{region}'" for region in regions)
    several = regions[0] if len(regions) == 1 else "{" + ",".join(regions) + "}"
    return text.replace("${region:singlequote}", quoted).replace("${region}", several)


def send(client, panel, regions=()):
    """Send the request of a panel."""
    return client.get(expand(panel["URL"].strip("`"), regions).removeprefix(SERVER))


def rows_of(answer, columns):
    """Return the columns of a panel in each row of an answer."""
    assert answer.status_code == 200, answer.text
    names = re.findall(r"`(\w+)` as", columns)
    return [{name: row[name] for name in names} for row in csv.DictReader(io.StringIO(answer.text))]


def test_panel_of_a_point_has_each_date(client):
    one = panel("One point")

    rows = rows_of(send(client, one), one["Columns"])

    assert rows[0]["time"] == "2023-01-01T00:00:00Z"
    assert len(rows) == DATES


def test_panel_of_many_regions_has_the_selected_ones(client):
    many = panel("Many regions in one panel")
    regions = ("leuven", "mechelen")

    rows = rows_of(send(client, many, regions), many["Columns"])

    assert expand(many["Filter"], regions) == "`id IN ('leuven','mechelen')`"
    selected = [row for row in rows if row["id"] in regions]
    assert len(selected) == len(regions) * DATES
    assert all(row["mean"] for row in selected)


def test_panel_per_region_has_each_date_of_its_region(client):
    repeated = panel("A panel per region")

    rows = rows_of(send(client, repeated, ("mechelen",)), repeated["Columns"])

    assert len(rows) == DATES


def test_several_regions_in_the_address_of_one_are_404(client):
    answer = send(client, panel("A panel per region"), ("leuven", "mechelen"))

    assert "the answer is 404" in section("A panel per region")
    assert answer.status_code == 404


def test_variables_have_their_root_and_column(client):
    queries = re.findall(rf"`{SERVER}(/[^`]+)`, (?:the )?root `(\w+)`(?:,| and the) column `(\w+)`", PAGE)
    values = [[row[column] for row in client.get(path).json()[root]] for path, root, column in queries]

    assert len(values) == 2
    assert "mechelen" in values[0]
    assert "NDVI" in values[1]


def test_posted_fields_have_their_series(client):
    address = re.search(r"the URL `([^`]+areas[^`]+)`", section("Your fields"))[1]

    answer = client.post(expand(address).removeprefix(SERVER), content=FIELDS)

    rows = rows_of(answer, panel("Many regions in one panel")["Columns"])
    assert {row["id"] for row in rows} == {"my-field"}
    assert len(rows) == DATES
