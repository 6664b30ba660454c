"""Error documents of the STAC API: problems with the names of its parameters."""

from functools import partial

from chronotile.http.problems import problem_response

SPELLING = {"time": "datetime", "geometry": "intersects"}
"""Names of parameters in STAC, by their names in errors of the core."""

stac_problem = partial(problem_response, spelling=SPELLING)
