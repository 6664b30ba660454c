"""How the cells of an area count."""

from chronotile.model.request import WEIGHTS as WORDS
from chronotile.protocols.common.query.parameter import choice, number

WEIGHTS = choice(
    "weights",
    "Which cells belong to an area and their weights; default: `pixel`",
    WORDS,
    default="pixel",
    any_case=False,
)
MIN_VALID = number(
    "min_valid",
    "Minimum share of cells with a value; below it there is no result",
    least=0,
    most=1,
    default=0.0,
)
