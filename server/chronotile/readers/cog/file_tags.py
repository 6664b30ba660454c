"""Tags of local files: texts that change when the file is replaced."""

import os
from pathlib import Path

from chronotile.readers.file_states import FileState, fingerprint_of, state_now

TAG_OF_FILE = "file:"
"""Start of the tag of a local file."""


def tag_of_path(path: Path) -> str:
    """Return the current tag of a local file or product.

    Raises:
        OSError: The file is missing.
    """
    return tag_of_state(state_now(str(path)))


def tag_of_state(state: FileState) -> str:
    """Return the tag of a local file with a fingerprint."""
    return f"{TAG_OF_FILE}{state.text}"


def tag_of_status(status: os.stat_result) -> str:
    """Return the tag of a local file with a status."""
    return tag_of_state(fingerprint_of(status))
