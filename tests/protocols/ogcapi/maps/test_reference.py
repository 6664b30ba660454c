"""Every request of `docs/reference/ogc-api-maps.md` is answered by a small demo."""

import re
from pathlib import Path

import pytest

from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.maps.params import OF_MAP

pytestmark = pytest.mark.every_case

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "ogc-api-maps.md").read_text(encoding="utf-8")
REQUESTS = re.findall(r"^GET (/\S+)$", PAGE, flags=re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("request_line", REQUESTS)
def test_a_request_of_the_page_is_answered(demo, request_line):
    answer = demo.get(request_line)

    assert answer.status_code == 200, answer.text
    assert answer.content


def test_the_page_has_every_parameter():
    told = set(re.findall(r"`([a-z-]+)`", PAGE))

    assert [name for name in names_of(OF_MAP) if name not in {"lang", *told}] == []
    assert len(REQUESTS) >= 20
