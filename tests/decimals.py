"""Numbers as docs/reference/layers-and-series.md has them in text, by Python's own decimals."""

from decimal import Decimal, localcontext

import numpy as np


def cell_value(number: int, scale: float, offset: float) -> float:
    """Return the exact decimal result; if it has more than ten digits, it is rounded to a thousandth of a step."""
    with localcontext(prec=200):
        step = Decimal(repr(scale))
        exact = (number * step + Decimal(repr(offset))).normalize()
        if len(exact.as_tuple().digits) > 10:
            exact = exact.quantize(Decimal(1).scaleb(step.adjusted() - 3))
        return float(exact)


def statistic(value: float) -> float:
    """Return the shortest decimal of its float32."""
    return float(str(np.float32(value)))
