"""Files that the wheel carries for others: the viewer and the packages of clients, to which pages link."""

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
    """Where the viewer's files are; `None`: nowhere."""

    path: Path | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the viewer can run: `make viewer` has built it."""
        return self.path is not None and (self.path / INDEX).is_file()


def find_viewer() -> Path | None:
    """Return where the viewer's built files are, or will be: in the wheel, else beside the source, else nowhere."""
    package = Path(chronotile.__file__).parent
    folders = (package / "_files" / "viewer", package.parents[1] / "viewer" / "dist")
    return next((each for each in folders if each.parent.is_dir()), None)


@dataclass(frozen=True, slots=True)
class ClientPackages:
    """Files by name: a wheel for pip and an archive for npm, as far as they are built."""

    files: Mapping[str, Path] = field(default_factory=dict)

    def address(self, suffix: str, base: str) -> str | None:
        """Return the address of the newest package of a kind; `base` is the public URL without a slash at the end."""
        newest = max((name for name in self.files if name.endswith(suffix)), key=_version, default=None)
        return None if newest is None else f"{base}{CLIENTS}{quote(newest)}"


def find_client_packages() -> ClientPackages:
    """Return the packages in the wheel, or else those that `make clients` wrote beside the source."""
    package = Path(chronotile.__file__).parent
    folders = (package / "_files" / "clients", package.parents[1] / "clients" / "dist")
    folder = next((each for each in folders if each.is_dir()), None)
    found = [] if folder is None else [each for each in folder.iterdir() if each.suffix in {WHEEL, ARCHIVE}]
    return ClientPackages({each.name: each for each in found})


def _version(name: str) -> tuple[list[int], bool, str]:
    """What orders files by the version in their names: 0.10.0 after 0.9.0, and after 0.10.0rc1."""
    found = _VERSION.search(name)
    if found is None:
        return [], False, name
    is_final = found["rest"] == ARCHIVE or found["rest"].startswith("-py")
    return [*map(int, found["release"].split("."))], is_final, name
