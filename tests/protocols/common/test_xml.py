"""Documents from templates: every inserted text is read back unchanged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from chronotile.protocols.common.xml import render_xml

TEMPLATE = "maps/wms/templates/exception_1_3_0.xml"
CONTROL = [chr(code) for code in range(32) if chr(code) not in "\t\n\r"]


def message_of(document):
    return etree.fromstring(document)[0].text


@given(st.text())
def test_any_text_comes_out_as_text(text):
    exception = etree.fromstring(render_xml(TEMPLATE, code=text, locator=text, message=text))[0]

    kept = "".join(each for each in text if each not in {*CONTROL, "\ufffe", "\uffff"})
    assert (exception.text or "") == kept
    assert (exception.get("code") or "").split() == kept.split()


def test_lone_surrogates_are_dropped():
    assert message_of(render_xml(TEMPLATE, code=None, locator=None, message="a\ud800b")) == "ab"


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1e-7, "0.0000001"),
        (20037508.342789244, "20037508.342789244"),
        (-180.0, "-180"),
        (2.0**64 - 2048, "18446744073709549568"),
    ],
)
def test_numbers_have_no_exponent_and_lose_no_digit(number, written):
    message = message_of(render_xml(TEMPLATE, code=None, locator=None, message=number))

    assert message == written
    assert float(message) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_is_read_back(number):
    assert np.float64(message_of(render_xml(TEMPLATE, code=None, locator=None, message=number))) == number


def test_nan_and_infinity_are_written_as_in_xml_schema():
    assert message_of(render_xml(TEMPLATE, code=None, locator=None, message=np.nan)) == "NaN"
