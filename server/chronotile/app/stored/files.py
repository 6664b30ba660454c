"""The file of a backup: a tar with a manifest at its end, which has the size and the SHA-256 of every other member."""

import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO

from chronotile.core.durable_files import make_private_folder, sole_writer
from chronotile.core.errors import UnsupportedSource

FORMAT = 1
"""Of the file."""
MANIFEST, DIGEST = "manifest.json", "manifest.sha256"
NAMES = re.compile(
    r"databases/[a-z]\w*\.(sqlite|rows)|databases/tables\.json|jobs/[0-9a-f]{32}/results/\w[\w.-]*"
    r"|configuration/(styles/)?\w[\w.-]*",
    re.ASCII,
)
"""Of all other members: none leads out of the folder into which it is extracted."""
MOST_MANIFEST_BYTES = 1 << 28
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in a backup."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup has."""

    archive: str
    """Id of the archive that was named; the databases may have others beside it."""
    software: str
    """The release that wrote it."""
    created: str
    database: str
    """`sqlite` or `postgresql`."""
    versions: Mapping[str, int]
    """Of tables, by their names."""
    in_bucket: Sequence[str]
    """Files of results that are in a bucket, which the backup does not have."""
    missing: Sequence[str]
    """Files of results that were not there."""
    members: Mapping[str, Member] = field(default_factory=dict)
    format: int = FORMAT


class HashingReader:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = sha256()

    def read(self, count: int = -1) -> bytes:
        """Return so many bytes at most."""
        data = self._file.read(count)
        self.digest.update(data)
        return data


class BackupWriter:
    """Writes the file of a backup.

    Args:
        file: It, empty.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)
        self.members: dict[str, Member] = {}

    def add(self, name: str, source: IO[bytes], size: int) -> None:
        """Add a member of so many bytes.

        Raises:
            OSError: The source has fewer bytes, or the file cannot be written.
        """
        header, hashing = tarfile.TarInfo(name), HashingReader(source)
        header.size, header.mode = size, 0o600
        self._tar.addfile(header, hashing)
        self._tar.members.clear()  # type: ignore[attr-defined]  # or else the headers of all stay in memory
        self.members[name] = Member(size=size, sha256=hashing.digest.hexdigest())

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest of all that was added, and its digest, as the last members."""
        written = json.dumps(asdict(manifest)).encode()
        self.add(MANIFEST, BytesIO(written), len(written))
        line = f"{self.members[MANIFEST].sha256}  {MANIFEST}\n".encode()
        self.add(DIGEST, BytesIO(line), len(line))
        self._tar.close()


@contextmanager
def work_folder(folder: Path, *, by: str) -> Iterator[None]:
    """Hold an empty folder, which is removed in the end, as it has copies of what is private and takes room.

    Raises:
        UnsupportedSource: Another run has it.
    """
    make_private_folder(folder)
    with sole_writer(folder, by=by):
        for each in folder.iterdir():
            remove(each)
        try:
            yield
        finally:
            shutil.rmtree(folder)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def words_for_damage() -> Iterator[None]:
    """Let what the tar library says of a damaged file be an error of ours; it reports damage wherever a member is read.

    Raises:
        UnsupportedSource: The file is damaged, or not a backup.
    """
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise UnsupportedSource(f"not a backup of chronotile, or damaged: {error}") from error


def members_of(file: IO[bytes]) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield the members of a backup: the name, the size, and a file to read before the next one.

    Raises:
        UnsupportedSource: It has others than a backup.
        tarfile.TarError: It is damaged.
    """
    file.seek(0)
    names = set[str]()
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for each in tar:
            tar.members.clear()  # type: ignore[attr-defined]  # as above
            is_known = each.name in {MANIFEST, DIGEST} or NAMES.fullmatch(each.name) is not None
            # Nothing but plain files: links, devices and files with holes are not what `BackupWriter` writes.
            is_plain = each.type == tarfile.REGTYPE and each.sparse is None and not each.pax_headers
            content = tar.extractfile(each) if is_known and is_plain and each.name not in names else None
            if content is None:
                raise UnsupportedSource(f"not a backup of chronotile: it has a member {each.name[:200]!r}")
            names.add(each.name)
            yield each.name, each.size, content


@words_for_damage()
def verified_manifest(file: IO[bytes]) -> Manifest:
    """Return the manifest of a backup, all of which is read and compared with it.

    Raises:
        UnsupportedSource: It is damaged, cut off, not a backup, or of a newer release.
    """
    found, manifest, line = dict[str, Member](), b"", b""
    for name, size, content in members_of(file):
        if name in {MANIFEST, DIGEST}:
            if size > MOST_MANIFEST_BYTES:
                raise UnsupportedSource(f"{name} of the backup is too large")
            data = content.read()
            manifest, line = (data, line) if name == MANIFEST else (manifest, data)
        else:
            hashing = HashingReader(content)
            while hashing.read(CHUNK_BYTES):
                pass
            found[name] = Member(size=size, sha256=hashing.digest.hexdigest())
    if line != f"{sha256(manifest).hexdigest()}  {MANIFEST}\n".encode():
        raise UnsupportedSource("the backup is cut off or damaged: its manifest is missing or not as it was written")
    try:
        written = json.loads(manifest)
        if written["format"] != FORMAT:
            raise UnsupportedSource(f"the backup has format {written['format']!r}, and this release reads {FORMAT}")
        listed = {name: Member(**each) for name, each in written["members"].items()}
        result = Manifest(**{**written, "members": listed})
        if not all(isinstance(version, int) for version in result.versions.values()):
            raise TypeError
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise UnsupportedSource("the manifest of the backup is not as chronotile writes it") from error
    wrong = sorted(name for name in listed.keys() | found.keys() if listed.get(name) != found.get(name))
    if wrong:
        raise UnsupportedSource(f"the backup is damaged: {wrong[0]} is missing or not as it was written")
    return result
