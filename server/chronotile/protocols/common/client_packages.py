"""The packages of clients, which users of a server install from there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import chronotile

PATH = "/clients/"
WHEEL, ARCHIVE = ".whl", ".tgz"


@dataclass(frozen=True, slots=True)
class ClientPackages:
    """Files by name: a wheel for pip and an archive for npm, as far as they are built."""

    files: Mapping[str, Path] = field(default_factory=dict)

    def address(self, suffix: str, base: str) -> str | None:
        """Return the address of the newest package of a kind; `base` is the public URL without a slash at the end."""
        names = sorted(name for name in self.files if name.endswith(suffix))
        return f"{base}{PATH}{quote(names[-1])}" if names else None


def find_client_packages() -> ClientPackages:
    """Return the packages in the wheel, or else those that `make clients` wrote beside the source."""
    package = Path(chronotile.__file__).parent
    folders = (package / "_files" / "clients", package.parents[1] / "clients" / "dist")
    folder = next((each for each in folders if each.is_dir()), None)
    found = [] if folder is None else [each for each in folder.iterdir() if each.suffix in {WHEEL, ARCHIVE}]
    return ClientPackages({each.name: each for each in found})
