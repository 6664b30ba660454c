"""Many instants as text at once."""

import numpy as np

from chronotile.model.time import InstantArray, format_instant


def format_instants(instants: InstantArray) -> list[str | None]:
    """Return what `format_instant` gives for each of (time,), ten times as fast where all are whole seconds.

    `None` stands for no time (NaT): that of the one value of a layer without time.
    """
    if np.isnat(instants).any():
        return [None if np.isnat(instant) else format_instant(instant) for instant in instants]
    seconds = instants.astype("datetime64[s]")
    if not np.array_equal(seconds, instants):
        return [format_instant(instant) for instant in instants]
    return [f"{text}Z" for text in np.datetime_as_string(seconds).tolist()]
