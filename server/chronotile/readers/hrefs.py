"""Places of files, as each library spells them."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from chronotile.readers.remote.s3_environment import s3_access
from chronotile.web.hosts import host_of

_WEB = {"http", "https"}

CREDENTIALS_REMEDY = "use s3:// with credentials of S3, or a server that needs none"


def local_path(href: str) -> Path | None:
    """Return the path of a place on this machine, or `None` of one elsewhere."""
    scheme, separator, _rest = href.partition("://")
    if not separator:
        return Path(href)
    return Path(unquote(urlsplit(href).path)) if scheme == "file" else None


def tensorstore_path(path: Path) -> str:
    """Return a path of this machine as tensorstore takes it, which refuses `..`."""
    return os.path.realpath(path) if ".." in path.parts else str(path)


def kvstore(href: str) -> dict[str, Any]:
    """Return the place as tensorstore opens it; a `.zip` is opened as the store it holds."""
    path = local_path(href)
    if path is None:
        scheme, _, rest = href.partition("://")
        bucket, _, key = rest.partition("/")
        end = "" if href.endswith(".zip") else "/"
        base: dict[str, Any] = (
            {"driver": "http", "base_url": href.rstrip("/") + end}
            if scheme in _WEB
            else {"driver": scheme, "bucket": bucket, "path": key.rstrip("/") + end, **s3_access().tensorstore_spec()}
        )
    else:
        base = {"driver": "file", "path": tensorstore_path(path)}
    if href.endswith(".zip"):
        return {"driver": "zip", "base": base}
    return base


def shown_href(href: str) -> str:
    """Return a place for messages to the operator: without the password or signature that a URL may carry."""
    path = local_path(href)
    if path is not None:
        return str(path)
    return f"{host_of(href)}{urlsplit(href).path}"


def without_query(href: str) -> str:
    """Return a path as it is, and a URL without its query, in which there may be a signature and its date."""
    return href if local_path(href) is not None else shown_href(href)


def is_pattern_elsewhere(href: str) -> bool:
    """Whether a URL may stand for several files; in one of the web `?` begins a query."""
    parts = urlsplit(href)
    return glob.has_magic(parts.path if parts.scheme in _WEB else href)


def base_name(href: str) -> str:
    """Return the last part of a place, for messages to the operator; without the signature that a URL may carry."""
    path = urlsplit(href).path if local_path(href) is None else href
    return path.rstrip("/").rpartition("/")[2]


def common_folder(paths: Sequence[str]) -> str:
    """Return the text up to the last slash that all places share; what follows differs."""
    shared, slash, _rest = os.path.commonprefix(paths).rpartition("/")  # noqa: RUF071 -- of texts: cut at a slash here
    return shared + slash


def names_among(paths: Sequence[str]) -> list[str]:
    """Return each place without the folder that all share, for messages to the operator."""
    shown = [without_query(path) for path in paths]
    folder = common_folder(shown)
    return [path.removeprefix(folder) for path in shown]
