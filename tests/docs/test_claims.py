"""Statements of pages that no example runs, compared with the code, files and addresses that they describe."""

import re

import pytest

import chronotile_client
from chronotile.readers.dates import time_of_name
from tests.docs.site import DOCS, ROOT

TIMES = (DOCS / "reference" / "times-of-files.md").read_text(encoding="utf-8")
HR_VPP = re.search(r"^\*\*HR-VPP\.\*\*.*$", TIMES, re.MULTILINE)[0]
CLIENT_PAGES = ("docs/how-to/notebooks.md", "docs/reference/python-client.md", "README.md")


@pytest.mark.parametrize(
    ("product", "start", "end"),
    [
        ("VI_", "2019-06-04T10:50:31", "2019-06-04T10:50:31"),
        ("ST_", "2019-06-01T00:00:00", "2019-06-02T00:00:00"),
        ("VPP_", "2019-01-01T00:00:00", "2020-01-01T00:00:00"),
    ],
)
def test_names_of_hr_vpp_have_the_times_of_the_page(product, start, end):
    name = re.search(rf"`({product}\d[^`]+)`", HR_VPP)[1]

    span = time_of_name(name)

    assert [str(instant.astype("datetime64[s]")) for instant in (span.start, span.end)] == [start, end]


@pytest.mark.parametrize("page", CLIENT_PAGES)
def test_addresses_of_the_client_have_its_version(page):
    files = re.findall(r"/clients/(chronotile_client-[\w.]+-py3-none-any\.whl)", (ROOT / page).read_text("utf-8"))

    assert set(files) == {f"chronotile_client-{chronotile_client.__version__}-py3-none-any.whl"}


def test_servers_offer_the_packages_that_the_changelog_lists():
    """`make demo` and the image build the Python package only; the npm package needs `make clients`."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    demo = re.search(r"^demo:(.*?)##", makefile, re.MULTILINE)[1]
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    line = re.search(r"^- Clients: servers offer.*$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert "$(PYTHON_CLIENT)" in demo
    assert "--wheel-dir clients/dist ./clients/python" in image
    assert not {"clients", "$(JS_CLIENT)"} & set(demo.split())
    assert "npm pack" not in image
    assert (
        line[0] == "- Clients: servers offer the Python package at `/clients/`; with `make clients` the npm package too"
    )


def test_limit_of_pieces_counts_items_without_overviews():
    """tests/readers/mosaic/test_overviews.py shows that such a map is refused only until its overviews exist."""
    page = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    meanings = dict(re.findall(r"^\| `(too_many|max_pieces)` \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE))

    assert "items until its overviews exist" in meanings["too_many"]
    assert "items whose files are opened" in meanings["max_pieces"]
