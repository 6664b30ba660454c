"""The sequence of capabilities, by which clients tell whether what they hold is old (OWS Common 1.1 §7.3.4)."""

import numpy as np

from chronotile.pipeline.services import Services


def update_sequence(services: Services) -> str | None:
    """Return when what the capabilities tell of last changed, ordered as text, if that is known."""
    if services.changed is None:
        return None
    return f"{np.datetime_as_string(services.changed.astype('datetime64[us]'))}Z"
