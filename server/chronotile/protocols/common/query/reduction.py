"""How the cells of an area count, as text asks for it."""

from chronotile.errors import InvalidParameter
from chronotile.model.request import WEIGHTS, Weights
from chronotile.protocols.common.query.kvp import Kvp, choice, number


def asked_weights(query: Kvp) -> Weights:
    """Return what `weights` says; `pixel` where nothing is asked.

    Raises:
        InvalidParameter: It is none of `WEIGHTS`.
    """
    text = choice(query.optional("weights") or "pixel", WEIGHTS, locator="weights")
    return next(each for each in WEIGHTS if each == text)


def asked_min_valid(query: Kvp) -> float:
    """Return the share that `min_valid` wants; 0 where nothing is asked.

    Raises:
        InvalidParameter: It is no number from 0 to 1.
    """
    share = number(query.optional("min_valid") or "0", locator="min_valid")
    if not 0 <= share <= 1:
        raise InvalidParameter(f"min_valid must be a share from 0 to 1, got {share:g}", locator="min_valid")
    return share
