"""Errors of `/places` in its own words."""

from functools import partial

from chronotile.protocols.common.responses.problem import TILED, problem_response

place_fault = partial(problem_response, spelling={**TILED, "place": "set", "reducers": "reducer"})
"""Problem documents whose parameters are named as the path and query do."""
