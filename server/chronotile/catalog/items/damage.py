"""Damage of the index file: it is detected when the file is opened, and the file is moved aside, never deleted."""

import fcntl
import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from chronotile.catalog.items.schema import INDEX_FILE
from chronotile.core.database import SQLITE_FILES
from chronotile.core.errors import SourceUnavailable
from chronotile.core.finding import Finding
from chronotile.core.private_files import open_private

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""File of Linux with an id that differs after each boot."""
OPEN, SUSPECT, DAMAGED, LOCK = (
    f"{INDEX_FILE}.open-",
    f"{INDEX_FILE}.suspect",
    f"{INDEX_FILE}.damaged-",
    f"{INDEX_FILE}.lock",
)
"""Files in the folder of the index: one per process that has it open; one if a process met damage; the prefix of moved
files; the lock for opening."""
DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
LOCK_S, LOOK_AGAIN_S = 300.0, 0.05
"""Timeout of waiting for the lock, as another process may read the whole index after damage; interval of attempts."""
FILLED_AGAIN = (
    "it is filled again from its sources; items that requests added (POST) are in none: add them again, from a backup "
    "or an export (chronotile index --export)"
)
POSITIONS_LOST = "webhooks continue with changes from now on, and their subscribers have to list all items"

log = logging.getLogger(__name__)


@contextmanager
def opening(folder: Path) -> Iterator[None]:
    """Hold the lock for opening the index of a folder, after moving a damaged index aside.

    The whole file is read only after the machine crashed or damage was met: a killed process damages nothing, and
    reading takes seconds for a million items.

    Raises:
        SourceUnavailable: Another process holds the lock for longer than `LOCK_S`.
    """
    descriptor = open_private(str(folder / LOCK), os.O_RDWR | os.O_CREAT)
    try:
        _lock(descriptor, folder / LOCK)
        fault = fault_of_file(folder / INDEX_FILE, is_thorough=_is_suspect(folder))
        if fault is not None:
            move_aside(folder, fault)
        (folder / SUSPECT).unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, file: Path) -> None:
    """Lock a file by polling, because the system can only wait without a timeout."""
    ends_s = monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if monotonic() >= ends_s:
                raise SourceUnavailable(
                    f"the item index cannot be opened: another process has held {file} for more than {LOCK_S:g} s; "
                    f"wait until it has opened the index, or end it (`fuser {file}` prints its id), and start again"
                ) from error
            sleep(LOOK_AGAIN_S)
        else:
            return


def mark_open(folder: Path) -> Path:
    """Return a new file that marks the index as open in this process; it is removed when the index is closed."""
    marker = folder / f"{OPEN}{os.getpid()}-{secrets.token_hex(4)}"
    with suppress(OSError), open(marker, "w", encoding="ascii", opener=open_private) as file:
        file.write(_boot_id())
    return marker


def note_damage(folder: Path) -> None:
    """Mark the index to be checked when it is next opened."""
    with suppress(OSError):
        os.close(open_private(str(folder / SUSPECT), os.O_WRONLY | os.O_CREAT))


def fault_of_file(file: Path, *, is_thorough: bool) -> str | None:
    """Return the damage of an SQLite file; `None` if it is intact, missing or locked by another process.

    The whole file is read if `is_thorough`, else only its first pages.
    """
    if not file.exists():
        return None
    try:
        with closing(sqlite3.connect(file, timeout=10)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if is_thorough:
                result = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
                return None if result == "ok" else " ".join(result.split())
    except sqlite3.Error as error:
        return str(error) if str(getattr(error, "sqlite_errorname", "")).startswith(DAMAGE) else None
    return None


def move_aside(folder: Path, fault: str) -> None:
    """Rename the files of a damaged index."""
    name = f"{DAMAGED}{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    for end in SQLITE_FILES:
        with suppress(FileNotFoundError):
            (folder / f"{INDEX_FILE}{end}").rename(folder / f"{name}{end}")
    message = "the item index in %s is damaged (%s) and was moved to %s: %s; %s"
    log.error(message, folder, fault, name, FILLED_AGAIN, POSITIONS_LOST)


def check_file(folder: Path) -> tuple[Finding, ...]:
    """Read the whole index of a folder; return its damage, and files that were moved aside before."""
    findings = list[Finding]()
    fault = fault_of_file(folder / INDEX_FILE, is_thorough=True)
    if fault is not None:
        note_damage(folder)
        message = f"is damaged: {fault}; restart the servers, which move it aside; {FILLED_AGAIN}"
        findings.append(Finding("error", "item index", message, path=str(folder / INDEX_FILE)))
    for aside in sorted(folder.glob(f"{DAMAGED}*")):
        if not aside.name.endswith(SQLITE_FILES[1:]):
            message = "was damaged and moved aside; delete the file when it is no longer needed"
            findings.append(Finding("warning", "item index", message, path=str(aside)))
    return tuple(findings)


def met_damage(error: BaseException | None) -> bool:
    """Return whether an error means that the file is damaged."""
    if not isinstance(error, SourceUnavailable):
        return False
    cause = getattr(error.__cause__, "orig", error.__cause__)
    return str(getattr(cause, "sqlite_errorname", "")).startswith(DAMAGE)


def _is_suspect(folder: Path) -> bool:
    """Return whether damage was met, or the machine crashed while a process had the index open."""
    boot, is_suspect = _boot_id(), (folder / SUSPECT).exists()
    for marker in folder.glob(f"{OPEN}*"):
        with suppress(OSError):
            is_other_boot = marker.read_text("ascii", "replace") != boot
            is_suspect |= is_other_boot
            number = marker.name.removeprefix(OPEN).partition("-")[0]
            if is_other_boot or not (number.isdecimal() and is_running(int(number))):
                marker.unlink()
    return is_suspect


def is_running(process: int) -> bool:
    """Return whether a process of any user exists."""
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return "unknown"
