"""Pictures of the viewer in README and documentation show the current viewer."""

import re

import pytest

from docs.pictures.look import IMAGES, current_look, look_of, pictured_look
from tests.docs.site import ROOT

PAGE = '<body><button id="share" aria-label="Share it" data-text="share.title">Share</button></body>'
STYLES = ":root {\n\t--page: white;\n}\n.top {\n\tpadding: 1px;\n}\n"
TEXTS = {"share.title": "Share", "share.hint": "A link to this view"}
PICTURES = sorted(IMAGES.iterdir())


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_picture_has_the_look_of_the_viewer(picture):
    remedy = "run `make viewer` and `python -m docs.pictures.make`, and check the pictures"

    assert pictured_look(picture) == current_look(), remedy


def test_each_picture_is_shown_by_a_page():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]

    names = {
        name for page in pages for name in re.findall(r"!\[[^\]]+\]\([./]*(?:docs/)?images/([^)]+)\)", page.read_text())
    }

    assert names == {picture.name for picture in PICTURES}


@pytest.mark.parametrize(
    ("page", "styles", "texts"),
    [
        (PAGE.replace("<body>", '<body><a href="../">Home</a>'), STYLES, TEXTS),
        (PAGE, STYLES.replace("white", "grey"), TEXTS),
        (PAGE, STYLES, TEXTS | {"share.title": "Send"}),
    ],
    ids=["a control", "a colour", "a text"],
)
def test_look_changes_with_the_parts_in_pictures(page, styles, texts):
    assert look_of(page, styles, texts) != look_of(PAGE, STYLES, TEXTS)


@pytest.mark.parametrize(
    ("page", "styles", "texts"),
    [
        (PAGE.replace("Share it", "Share the view"), STYLES, TEXTS),
        (PAGE, STYLES.replace("1px", "2px"), TEXTS),
        (PAGE, STYLES, TEXTS | {"share.hint": "The link"}),
    ],
    ids=["a label", "a rule", "a hint"],
)
def test_look_stays_with_other_parts(page, styles, texts):
    assert look_of(page, styles, texts) == look_of(PAGE, STYLES, TEXTS)
