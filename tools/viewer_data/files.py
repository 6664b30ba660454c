"""Where the sources are, and the folder that is written."""

import hashlib
import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path


def of_package(name: str) -> Path:
    """Return the folder of a package, which is not imported: its data are all that is wanted."""
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
        """Write what tells these files from those of another build."""
        together = json.dumps(sorted(self.digests.items())).encode()
        self.write("digest.json", hashlib.sha256(together).hexdigest())
