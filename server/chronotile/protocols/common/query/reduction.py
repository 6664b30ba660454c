"""How the cells of an area count."""

from chronotile.model.request import WEIGHTS as WORDS
from chronotile.protocols.common.query.parameter import choice, number

WEIGHTS = choice(
    "weights",
    "Which cells an area has and what each counts for; otherwise `pixel`",
    WORDS,
    default="pixel",
    any_case=False,
)
MIN_VALID = number(
    "min_valid",
    "The least share of cells with a value for which there is a reduced one",
    least=0,
    most=1,
    default=0.0,
)
