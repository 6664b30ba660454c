"""Where the viewer's files lie, and which of them may be asked for."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import chronotile
from chronotile.errors import UnknownPath
from chronotile.pipeline.revision import fingerprint

MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
INDEX = "index.html"
VENDORED = "vendor"
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class ViewerFile:
    """A file as it is sent."""

    body: bytes
    media_type: str
    etag: str


def find_viewer() -> Path | None:
    """Return the folder of the viewer's files: that of the wheel, else the one beside the source, else nothing."""
    package = Path(chronotile.__file__).parent
    for folder in (package / "_files" / "viewer", package.parents[1] / "viewer"):
        if (folder / INDEX).is_file():
            return folder
    return None


def is_complete(folder: Path | None) -> bool:
    """Whether the viewer can run: its page is there, and the libraries that `make viewer` builds."""
    return folder is not None and (folder / INDEX).is_file() and (folder / VENDORED).is_dir()


def read_viewer_file(folder: Path, path: str) -> ViewerFile:
    """Return a file of the viewer; nothing at the end of a path means its page.

    Raises:
        UnknownPath: There is none, or it is of a kind that pages do not load.
    """
    names = (path or INDEX).split("/")
    file = folder.joinpath(*names) if all(map(_SEGMENT.fullmatch, names)) and len(names) <= MAX_DEPTH else None
    media_type = None if file is None else MEDIA_TYPES.get(file.suffix)
    if file is None or media_type is None or not file.is_file():
        raise UnknownPath(f"the viewer has no file {path[:80]!r}")
    state = file.stat()
    return _read(file, media_type, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=256)
def _read(file: Path, media_type: str, _modified_ns: int, _size: int) -> ViewerFile:
    """Kept until the file changes."""
    body = file.read_bytes()
    return ViewerFile(body=body, media_type=media_type, etag=fingerprint(body))
