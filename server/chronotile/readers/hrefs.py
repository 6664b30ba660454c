"""URLs and paths of files, as each library requires them."""

import glob
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.remote.s3_environment import s3_access

_WEB = {"http", "https"}
_MEMBER = re.compile(r"(?P<file>.+\.[zZ][iI][pP])/(?P<name>[^/]+\.SAFE/.+)")

DOCUMENTS = ("MTD_MSIL2A.xml", "MTD_MSIL1C.xml")
"""Names of documents of Sentinel-2 products."""
_IMAGE = re.compile(
    r"(?P<product>.*?)/GRANULE/[^/]+/IMG_DATA/(?:R(?P<metres>\d\d)m/)?(?P<tile>T\d\d[A-Z]{3})_(?P<time>\d{8}T\d{6})_"
    r"(?P<variable>(?P<band>B\d[\dA]|AOT|WVP|SCL)(?:_\d\dm)?)\.jp2"
)

PRODUCT_END = ".sen3"
"""End of the names of folders, in lower case, that are read as one file: products of Sentinel-3 in NetCDF files."""

CREDENTIALS_REMEDY = "use s3:// with credentials of S3, or a server that needs none"


def local_path(href: str) -> Path | None:
    """Return the path of a local file or folder, or `None` for a remote one."""
    scheme, separator, _rest = href.partition("://")
    if not separator:
        return Path(href)
    return Path(unquote(urlsplit(href).path)) if scheme == "file" else None


class MemberPath(NamedTuple):
    """A ZIP file, and the name of a member."""

    file: str
    name: str


def split_member(path: str) -> MemberPath | None:
    """Return the parts of the path of a product's file in a ZIP file (`a.zip/b.SAFE/c.jp2`); `None` for other paths."""
    match = _MEMBER.fullmatch(path)
    return MemberPath(match["file"], match["name"]) if match is not None and Path(match["file"]).is_file() else None


def stored_file(path: str) -> str:
    """Return the ZIP file of a member, and other paths unchanged."""
    member = split_member(path)
    return path if member is None else member.file


def is_product(path: str) -> bool:
    """Return whether a path is a folder that is read as one file."""
    return path.lower().endswith(PRODUCT_END) and os.path.isdir(path)  # noqa: PTH112 -- for very many files


def is_data_file(path: str) -> bool:
    """Return whether a path is a file, or a folder that is read as one file."""
    return os.path.isfile(path) or is_product(path)  # noqa: PTH113 -- a Path of each of many takes twice as long


def image_of(path: str) -> re.Match[str] | None:
    """Return the parts of the path of an image of numbers of a Sentinel-2 product; `None` for other files."""
    return _IMAGE.fullmatch(path) if "/IMG_DATA/" in path else None


def documents_of(path: str) -> list[str]:
    """Return the possible documents of the Sentinel-2 product of an image; empty for other files."""
    image = image_of(path)
    return [] if image is None else [f"{image['product']}/{name}" for name in DOCUMENTS]


def product_of(path: Path) -> Path | None:
    """Return the folder that is read as one file at a path or around it; `None` for other files."""
    return next((folder for folder in (path, path.parent) if is_product(str(folder))), None)


def tensorstore_path(path: Path) -> str:
    """Return a local path for tensorstore, which refuses `..`."""
    return os.path.realpath(path) if ".." in path.parts else str(path)


def kvstore(href: str) -> dict[str, Any]:
    """Return the tensorstore specification of a store; a `.zip` is opened as the store inside."""
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
    """Return a URL or path for messages to the operator, without the password or signature of a URL."""
    path = local_path(href)
    if path is not None:
        return str(path)
    return f"{host_of(href)}{urlsplit(href).path}"


def without_query(href: str) -> str:
    """Return a path unchanged, and a URL without its query, which may contain a signature and its date."""
    return href if local_path(href) is not None else shown_href(href)


def is_pattern_elsewhere(href: str) -> bool:
    """Return whether a URL contains wildcards; `?` in http and https URLs starts the query."""
    parts = urlsplit(href)
    return glob.has_magic(parts.path if parts.scheme in _WEB else href)


def base_name(href: str) -> str:
    """Return the last segment of a path or URL for messages to the operator, without a signature."""
    path = urlsplit(href).path if local_path(href) is None else href
    return path.rstrip("/").rpartition("/")[2]


def common_folder(paths: Sequence[str]) -> str:
    """Return the common prefix of all paths, up to its last slash."""
    shared, slash, _rest = os.path.commonprefix(paths).rpartition("/")  # noqa: RUF071 -- of texts: cut at a slash here
    return shared + slash


def names_among(paths: Sequence[str]) -> list[str]:
    """Return each path without the folder common to all, for messages to the operator."""
    shown = [without_query(path) for path in paths]
    folder = common_folder(shown)
    return [path.removeprefix(folder) for path in shown]


def is_any_there(paths: Iterable[str]) -> bool:
    """Return whether a local file exists among the files; remote ones are ignored, as the network may be down."""
    local = (local_path(path) for path in paths)
    return any(path is not None and is_data_file(stored_file(str(path))) for path in local)
