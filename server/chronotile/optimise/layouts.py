"""Which layouts a cube is given where nothing is said."""

from chronotile.optimise.inputs import Inputs
from chronotile.readers.kinds import kind_of_spec


def has_good_map(inputs: Inputs) -> bool:
    """Whether the sources have a map layout already: small blocks of one date each, and overviews."""
    if inputs.have_times_in_blocks or any(len(info.stored_levels) < 2 for info in inputs.variables.values()):
        return False
    first = inputs.specs[0]
    return kind_of_spec(first).has_map_layout(first)
