"""The viewer and the client packages in the wheel, to which pages link."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import chronotile

INDEX = "index.html"

CLIENTS = "/clients/"
WHEEL, ARCHIVE = ".whl", ".tgz"
_VERSION = re.compile(r"-(?P<release>\d+(?:\.\d+)*)(?P<rest>.*)")


@dataclass(frozen=True, slots=True)
class ViewerFolder:
    """Folder of the viewer; `None` if it is missing."""

    path: Path | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the viewer was built (`make viewer`)."""
        return self.path is not None and (self.path / INDEX).is_file()


def find_viewer() -> Path | None:
    """Return the folder of the built viewer: in the wheel, or else next to the source. It may not exist yet."""
    package = Path(chronotile.__file__).parent
    folders = (package / "_files" / "viewer", package.parents[1] / "viewer" / "dist")
    return next((folder for folder in folders if folder.parent.is_dir()), None)


@dataclass(frozen=True, slots=True)
class ClientPackages:
    """Built packages by file name: a wheel for pip and an archive for npm."""

    files: Mapping[str, Path] = field(default_factory=dict)

    def address(self, suffix: str, base: str) -> str | None:
        """Return the URL of the newest package with a suffix; `None` if there is no such package.

        Args:
            suffix: End of the file name, such as `.whl`.
            base: Public base URL without a slash at the end.
        """
        newest = max((name for name in self.files if name.endswith(suffix)), key=_version, default=None)
        return None if newest is None else f"{base}{CLIENTS}{quote(newest)}"


def find_client_packages() -> ClientPackages:
    """Return the packages in the wheel, or else next to the source (`make clients`)."""
    package = Path(chronotile.__file__).parent
    folders = (package / "_files" / "clients", package.parents[1] / "clients" / "dist")
    folder = next((path for path in folders if path.is_dir()), None)
    packages = [] if folder is None else [path for path in folder.iterdir() if path.suffix in {WHEEL, ARCHIVE}]
    return ClientPackages({path.name: path for path in packages})


def _version(name: str) -> tuple[list[int], bool, str]:
    """Return a sort key of the version in a file name: 0.10.0 after 0.9.0 and 0.10.0rc1."""
    match = _VERSION.search(name)
    if match is None:
        return [], False, name
    is_final = match["rest"] == ARCHIVE or match["rest"].startswith("-py")
    return [*map(int, match["release"].split("."))], is_final, name
