"""Errors of the STAC API: problem documents that name its parameters."""

from functools import partial

from chronotile.protocols.common.responses.problem import problem_response

SPELLING = {"time": "datetime", "geometry": "intersects"}
"""Names of parameters, by the core's."""

stac_problem = partial(problem_response, spelling=SPELLING)
