"""The demo answers every address that the page for users of other servers gives."""

import re

import pytest

from tests.docs.site import DOCS

pytestmark = pytest.mark.every_case

PAGE = (DOCS / "how-to" / "coming-from.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| [^|]+ \| `(/[^`]+)`(, a polygon by POST)? \|$", PAGE, re.MULTILINE)
GET_MAP = (
    "SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&STYLES=&CRS=CRS:84&BBOX=4.3,50.9,4.5,51.1&WIDTH=9&HEIGHT=9"
    "&FORMAT=image/png"
)
FIELD = {"type": "Polygon", "coordinates": [[[4.4, 51.0], [4.42, 51.0], [4.42, 51.02], [4.4, 51.0]]]}


def test_every_request_of_the_table_is_found():
    table = PAGE.partition("| other server | chronotile |\n")[2].partition("\n\n")[0]

    assert len(ROWS) == table.count("\n") > 10


@pytest.mark.slow
@pytest.mark.parametrize(("address", "posts"), ROWS)
def test_a_request_is_answered(client, address, posts):
    address = address.replace("…", GET_MAP)

    answer = client.post(address, json=FIELD) if posts else client.get(address)

    assert answer.status_code == 200, answer.text[:500]
