"""What a request to `/cog` may cost: TiTiler itself sets no bounds."""

import ast
import math
from collections.abc import Iterable

from chronotile.errors import InvalidParameter, LimitExceeded
from chronotile.model.expression import parse_expression
from chronotile.protocols.common.query.kvp import integer, number

SIDES = ("width", "height", "max_size")
AT_MOST = {"tilesize": 2048, "buffer": 256, "padding": 256, "histogram_bins": 1024}
MAX_BANDS = 32
MAX_PARTS = 8


def check_cost(parameters: Iterable[tuple[str, str]], max_pixels: int) -> None:
    """Check the sizes, bands and expressions of a request, wherever it does.

    Args:
        parameters: Of path and query.
        max_pixels: The most that a picture may have.

    Raises:
        InvalidParameter: An expression is none, or too dear.
        LimitExceeded: A picture would be too large.
    """
    given = list(parameters)
    named = {name for name, _value in given}
    if len(named & {"width", "height"}) == 1:
        raise InvalidParameter("width and height go together", locator="width" if "width" in named else "height")
    side = math.isqrt(max_pixels)
    for name, value in given:
        if name in SIDES:
            _check_size(name, value, side, limit="max_pixels")
        elif name in AT_MOST:
            _check_size(name, value, AT_MOST[name], limit=name)
        elif name == "expression":
            check_band_math(value)
    bands = sum(name == "bidx" for name, _value in given)
    if bands > MAX_BANDS:
        raise InvalidParameter(f"bidx names {bands} bands, at most {MAX_BANDS} are accepted", locator="bidx")


def _check_size(name: str, text: str, allowed: int, *, limit: str) -> None:
    requested = number(text, locator=name) if name == "buffer" else integer(text, locator=name)
    if requested > allowed:
        raise LimitExceeded(
            limit, allowed=allowed, needed=math.ceil(requested), alternative="request less at once", locator=name
        )


def check_band_math(text: str) -> None:
    """Check an expression over bands (`b1`, `b2`, …), or several with `;` between.

    numexpr, which TiTiler computes with, raises numbers to powers before it begins: `9**9**9` would take for ever.

    Raises:
        InvalidParameter: It is not arithmetic, or raises a number to a power.
    """
    parts = [part for part in text.split(";") if part.strip()]
    if len(parts) > MAX_PARTS:
        raise InvalidParameter(f"expression has {len(parts)} parts, at most {MAX_PARTS} are accepted")
    for part in parts:
        for node in ast.walk(ast.parse(parse_expression(part).text, mode="eval")):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not _is_plain_power(node):
                raise InvalidParameter(
                    "** takes a band or an expression of bands, and a plain number up to 16", locator="expression"
                )


def _is_plain_power(node: ast.BinOp) -> bool:
    is_of_bands = any(isinstance(each, ast.Name) for each in ast.walk(node.left))
    exponent = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
    value = exponent.value if isinstance(exponent, ast.Constant) else None
    return is_of_bands and isinstance(value, int | float) and value <= 16
