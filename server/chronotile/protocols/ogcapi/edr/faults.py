"""Errors of data queries as problem documents, with parameters as EDR spells them."""

from functools import partial

from chronotile.protocols.common.responses.problem import problem_response

SPELLING = {
    "point": "coords",
    "points": "coords",
    "geometry": "coords",
    "time": "datetime",
    "layer": "parameter-name",
    "location": "locationId",
    "place": "locationId",
}

edr_fault = partial(problem_response, spelling=SPELLING)
area_fault = partial(problem_response, spelling={**SPELLING, "bbox": "coords"})
"""Of queries whose `coords` are an area: cells have no other box."""
