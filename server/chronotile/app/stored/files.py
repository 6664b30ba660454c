"""The file of a backup: a tar with a manifest at its end, which lists size and SHA-256 of all other members."""

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

from chronotile.core.durable_files import sole_writer
from chronotile.core.errors import UnsupportedSource
from chronotile.core.private_files import make_private_folder

FORMAT = 1
"""Format of the file."""
MANIFEST, DIGEST = "manifest.json", "manifest.sha256"
NAMES = re.compile(
    r"databases/[a-z]\w*\.(sqlite|rows)|databases/tables\.json|jobs/[0-9a-f]{32}/results/\w[\w.-]*"
    r"|configuration/(styles/)?\w[\w.-]*",
    re.ASCII,
)
"""Names of all other members; none of them leads out of the target folder."""
MAX_MANIFEST_BYTES = 1 << 28
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupMember:
    """A file in a backup."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupManifest:
    """Content of a backup."""

    archive: str
    """Id of the archive; the databases may contain other archives too."""
    software: str
    """Release that wrote the backup."""
    created: str
    database: str
    """`sqlite` or `postgresql`."""
    versions: Mapping[str, int]
    """Versions of tables by name."""
    in_bucket: Sequence[str]
    """Results in a bucket; they are not in the backup."""
    missing: Sequence[str]
    """Results whose files were missing."""
    members: Mapping[str, BackupMember] = field(default_factory=dict)
    format: int = FORMAT


class HashingReader:
    """A file whose content is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = sha256()

    def read(self, count: int = -1) -> bytes:
        """Return at most `count` bytes, or all."""
        data = self._file.read(count)
        self.digest.update(data)
        return data


class BackupWriter:
    """Writer of a backup.

    Args:
        file: An empty file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)
        self.members: dict[str, BackupMember] = {}

    def add(self, name: str, source: IO[bytes], size: int) -> None:
        """Add a member of `size` bytes.

        Raises:
            OSError: The source has fewer bytes, or the file cannot be written.
        """
        header, hashing = tarfile.TarInfo(name), HashingReader(source)
        header.size, header.mode = size, 0o600
        self._tar.addfile(header, hashing)
        self._tar.members.clear()  # type: ignore[attr-defined]  # otherwise all headers stay in memory
        self.members[name] = BackupMember(size=size, sha256=hashing.digest.hexdigest())

    def finish(self, manifest: BackupManifest) -> None:
        """Write the manifest and its digest as the last members."""
        text = json.dumps(asdict(manifest)).encode()
        self.add(MANIFEST, BytesIO(text), len(text))
        line = f"{self.members[MANIFEST].sha256}  {MANIFEST}\n".encode()
        self.add(DIGEST, BytesIO(line), len(line))
        self._tar.close()


@contextmanager
def work_folder(folder: Path, *, by: str) -> Iterator[None]:
    """Lock an empty folder and remove it at the end: it contains private data and takes space.

    Raises:
        UnsupportedSource: Another run has locked the folder.
    """
    make_private_folder(folder)
    with sole_writer(folder, by=by):
        for path in folder.iterdir():
            remove(path)
        try:
            yield
        finally:
            shutil.rmtree(folder)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with its content."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def convert_tar_errors() -> Iterator[None]:
    """Convert errors of the tar library, which may be raised while any member is read.

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
        UnsupportedSource: A member does not belong to a backup.
        tarfile.TarError: The file is damaged.
    """
    file.seek(0)
    names = set[str]()
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for header in tar:
            tar.members.clear()  # type: ignore[attr-defined]  # see `BackupWriter.add`
            is_member = header.name in {MANIFEST, DIGEST} or NAMES.fullmatch(header.name) is not None
            # `BackupWriter` writes no links, devices and files with holes.
            is_plain = header.type == tarfile.REGTYPE and header.sparse is None and not header.pax_headers
            content = tar.extractfile(header) if is_member and is_plain and header.name not in names else None
            if content is None:
                raise UnsupportedSource(f"not a backup of chronotile: it has a member {header.name[:200]!r}")
            names.add(header.name)
            yield header.name, header.size, content


@convert_tar_errors()
def verified_manifest(file: IO[bytes]) -> BackupManifest:
    """Read the whole backup, compare it with its manifest, and return the manifest.

    Raises:
        UnsupportedSource: The file is damaged, incomplete, not a backup, or of a newer release.
    """
    members, manifest, line = dict[str, BackupMember](), b"", b""
    for name, size, content in members_of(file):
        if name in {MANIFEST, DIGEST}:
            if size > MAX_MANIFEST_BYTES:
                raise UnsupportedSource(f"{name} of the backup is too large")
            data = content.read()
            manifest, line = (data, line) if name == MANIFEST else (manifest, data)
        else:
            hashing = HashingReader(content)
            while hashing.read(CHUNK_BYTES):
                pass
            members[name] = BackupMember(size=size, sha256=hashing.digest.hexdigest())
    if line != f"{sha256(manifest).hexdigest()}  {MANIFEST}\n".encode():
        raise UnsupportedSource("the backup is cut off or damaged: its manifest is missing or not as it was written")
    try:
        document = json.loads(manifest)
        if document["format"] != FORMAT:
            raise UnsupportedSource(f"the backup has format {document['format']!r}, and this release reads {FORMAT}")
        listed = {name: BackupMember(**entry) for name, entry in document["members"].items()}
        result = BackupManifest(**{**document, "members": listed})
        if not all(isinstance(version, int) for version in result.versions.values()):
            raise TypeError
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise UnsupportedSource("the manifest of the backup is not as chronotile writes it") from error
    damaged = sorted(name for name in listed.keys() | members.keys() if listed.get(name) != members.get(name))
    if damaged:
        raise UnsupportedSource(f"the backup is damaged: {damaged[0]} is missing or not as it was written")
    return result
