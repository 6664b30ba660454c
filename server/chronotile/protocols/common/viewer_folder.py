"""The folder of the viewer's files, to which pages of other protocols link if the viewer can run."""

from dataclasses import dataclass
from pathlib import Path

import chronotile

INDEX = "index.html"
VENDORED = "vendor"


@dataclass(frozen=True, slots=True)
class ViewerFolder:
    """Where the viewer's files are; `None`: nowhere."""

    path: Path | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the viewer can run: its page is there, and the libraries that `make viewer` builds."""
        return self.path is not None and (self.path / INDEX).is_file() and (self.path / VENDORED).is_dir()


def find_viewer() -> Path | None:
    """Return the folder of the viewer's files: that of the wheel, else the one beside the source, else nothing."""
    package = Path(chronotile.__file__).parent
    for folder in (package / "_files" / "viewer", package.parents[1] / "viewer"):
        if (folder / INDEX).is_file():
            return folder
    return None
