"""XML documents from templates: escaped, without characters that XML forbids, numbers without exponents."""

import math
import re
from functools import lru_cache

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup, escape

from chronotile.core.xml_names import xml_characters

_INDENTATION = re.compile(r"^ +", re.MULTILINE)


class WithoutIndentation(Extension):
    """Removes the indentation of templates, which would be a fifth of the capabilities of many layers."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 -- Jinja calls it
        """Return the template without blanks at the beginning of its lines; Jinja calls this before it parses."""
        return _INDENTATION.sub("", source)


def render_xml(template: str, **values: object) -> bytes:
    """Return a document; `template` is a path below `protocols`, e.g. `maps/wms/templates/exception_1_3_0.xml`."""
    return _environment().get_template(template).render(**values).encode()


def number_text(value: float) -> str:
    """Return a number for XML: integers with all digits, `NaN`, and no exponent."""
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if float(value).is_integer() else np.format_float_positional(value, trim="-")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("chronotile", "protocols"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize,
        extensions=[WithoutIndentation],
    )


def _finalize(value: object) -> object:
    """Jinja calls this on every value before it is escaped; the output of a macro comes as `Markup`."""
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, str) and not isinstance(value, Markup):
        text = xml_characters(value)
        # A parser takes a bare carriage return for the end of a line (XML 1.0 §2.11).
        return escape(text).replace("\r", Markup("&#13;")) if "\r" in text else text
    return value
