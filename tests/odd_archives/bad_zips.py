"""ZIP files of products that must not be read, and the words of the finding about each."""

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.odd_archives.safe import SafeProduct

PRODUCT = SafeProduct(sensed="20230107T101401", baseline="04.00", offset=-1000)
IMAGE = f"{PRODUCT.name}/{PRODUCT.image('B02', 10)}"
ZIP_NAME = f"{PRODUCT.name}.zip"

Change = Callable[[zipfile.ZipFile], object]


def add(name: str, data: bytes = b"a", **of_member: object) -> Change:
    """Return a change that adds a member whose entries state other facts than `zipfile` would write."""

    def change(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("a")
        info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
        with warnings.catch_warnings(action="ignore"):
            archive.writestr(info, data)
        for key, value in of_member.items():
            setattr(info, key, value)

    return change


def _comments(archive: zipfile.ZipFile) -> None:
    for number in range(17):
        add(f"{PRODUCT.name}/{number}", comment=b"a" * 65_535)(archive)


def _members(archive: zipfile.ZipFile) -> None:
    for number in range(4097):
        archive.writestr(f"{PRODUCT.name}/{number}", b"")


INSIDE = f"{PRODUCT.name}/a"
BAD_ZIPS: dict[str, tuple[Change, str]] = {
    "4 GB of zeros": (add(INSIDE, file_size=4 << 30), "bytes when unpacked, at most 4294967296 are read"),
    "zeros": (add(INSIDE, bytes(2 << 20)), "'a' would grow from 2049 to 2097152 bytes"),
    "path above": (add(f"{PRODUCT.name}/../../a"), "its member '../../a' has no plain relative path"),
    "absolute path": (add("/etc/a"), "member '/etc/a' has no plain relative path"),
    "backslash": (add("..\\a"), r"member '..\\a' has no plain relative path"),
    "zero byte": (add(f"{INSIDE}\0.xml"), r"'a\x00.xml' has no plain relative path"),
    "two members of one name": (add(IMAGE), f"has 2 members of the name '{PRODUCT.image('B02', 10)}'"),
    "encrypted": (add(INSIDE, flag_bits=1), "'a' is encrypted"),
    "other method": (add(INSIDE, compress_type=zipfile.ZIP_LZMA), "'a' is compressed with method 14"),
    "two sizes": (add(INSIDE, compress_type=zipfile.ZIP_STORED, file_size=9), "'a' is stored, and has two sizes"),
    "position": (add(INSIDE, header_offset=1 << 63), "'a' is not in the file"),
    "many members": (_members, "has 4100 members, at most 4096 are read"),
    "large directory": (_comments, "its directory has 11"),
}
"""Changes of a ZIP file by name, with the words of the finding."""


def write_bad_zip(path: Path, change: Change) -> Path:
    """Write a ZIP file of a product without real images."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{PRODUCT.name}/{PRODUCT.document}", PRODUCT.metadata)
        archive.writestr(f"{PRODUCT.name}/manifest.safe", "<XFDU/>")
        archive.writestr(IMAGE, b"a")
        change(archive)
    return path
