"""Paths of the sources and of the output folder."""

import hashlib
import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path


def of_package(name: str) -> Path:
    """Return the folder of a package without importing it; only its data are needed."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} is missing: install tools/viewer_data/requirements.lock")
    return Path(spec.origin).parent


@dataclass(frozen=True, slots=True)
class Written:
    """The folder of the viewer's data."""

    folder: Path
    digests: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, content: object) -> None:
        """Write a JSON file."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        self.digests[name] = hashlib.sha256(text).hexdigest()

    def close(self) -> None:
        """Write a digest of all files, which identifies this build."""
        together = json.dumps(sorted(self.digests.items())).encode()
        self.write("digest.json", hashlib.sha256(together).hexdigest())
