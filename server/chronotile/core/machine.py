"""What this process may use: cores and memory of the machine, within the containers around it, and its own disks."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
"""The groups of this process (cgroups(7)): a line `id:controllers:path` each, of cgroup v2 without controllers."""
GROUPS = Path("/sys/fs/cgroup")
"""Where the groups are mounted; of cgroup v1 a folder for each controller, or for those that share one."""
MOUNTS = Path("/proc/self/mountinfo")
"""What is mounted where (proc_pid_mountinfo(5)): `36 35 98:0 /root /mount/point options - type source options`."""
FILE_SYSTEMS_HERE = {"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "squashfs", "tmpfs", "vfat", "xfs", "zfs"}
"""Those that wait for no other machine and for no program."""
NETWORK_FILE_SYSTEMS = {
    *("acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs"),
    *("nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs"),
    # disks of a host in its virtual machines
    *("9p", "drvfs", "fakeowner", "prl_fs", "vboxsf", "virtiofs", "vmhgfs"),
    # programs: those that do not say which they are serve stores of objects
    "fuse",
    *(f"fuse.{program}" for program in ("blobfuse", "blobfuse2", "ceph", "ceph-fuse", "curlftpfs", "davfs2", "daos")),
    *(f"fuse.{program}" for program in ("eosxd", "gcsfuse", "glusterfs", "goofys", "grpcfuse", "juicefs", "lizardfs")),
    *(f"fuse.{program}" for program in ("mfs", "mount-s3", "osxfs", "ossfs", "quobyte", "rclone", "s3fs", "seaweedfs")),
    *(f"fuse.{program}" for program in ("sshfs", "vmhgfs-fuse")),
}
"""Those that several machines may write to at once, or that do not lock and share memory as a disk does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a process may use."""

    cores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """The limits that control groups set for a process; `None`: no limit."""

    cores: int | None
    """A part of one counts as one."""
    memory_bytes: int | None


def this_machine() -> Machine:
    """Return what this process may use of the machine it runs on."""
    limits = group_limits(MEMBERSHIP, GROUPS)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cores=cores if limits.cores is None else min(cores, limits.cores),
        memory_bytes=memory if limits.memory_bytes is None else min(memory, limits.memory_bytes),
    )


def group_limits(membership: Path, groups: Path) -> GroupLimits:
    """Return the least of what each group of a process and the groups around it allow.

    Args:
        membership: Such as `MEMBERSHIP`; where there is none there are no limits.
        groups: Such as `GROUPS`.
    """
    folders = list(_folders(membership, groups))
    return GroupLimits(
        cores=min((cores for folder in folders for cores in _cores(folder)), default=None),
        memory_bytes=min((size for folder in folders for size in _memory(folder)), default=None),
    )


def are_on_disks_here(paths: Iterable[Path], mounts: Path = MOUNTS) -> bool:
    """Return whether all paths, as written and as links lead on, lie on disks of this machine.

    A look at such a file is over at once, where one on a mount of another machine may hang. Where that is unknown,
    as on systems without `MOUNTS`, the answer is no.
    """
    try:
        kinds = _file_systems(mounts)
    except OSError:
        return False
    spelled = {spelling for path in paths for spelling in (path.absolute(), path.resolve())}
    return all(_file_system_of(path, kinds) in FILE_SYSTEMS_HERE for path in spelled)


def network_file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the kind of file system of `path`, such as `nfs4`, if it is one of `NETWORK_FILE_SYSTEMS`.

    What is unknown, as on systems without `MOUNTS`, is taken for a disk of this machine.
    """
    try:
        kind = _file_system_of(path.resolve(), _file_systems(mounts))
    except OSError:
        return None
    return kind if kind in NETWORK_FILE_SYSTEMS else None


def _file_systems(mounts: Path) -> dict[str, str]:
    """Kinds of file systems by where they are mounted; of several at one place, the last, which hides the others."""
    kinds = {}
    for line in mounts.read_text("utf-8", "surrogateescape").splitlines():
        place, _, source = line.partition(" - ")
        mounted_at = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place.split()[4])
        kinds[mounted_at] = source.split()[0]
    return kinds


def _file_system_of(path: Path, kinds: dict[str, str]) -> str | None:
    return next((kinds[str(each)] for each in (path, *path.parents) if str(each) in kinds), None)


def _folders(membership: Path, groups: Path) -> Iterator[Path]:
    """Yield the folder of each group and those around it, whether they are there or not.

    In a container the path may be that of the host, of which only the end is mounted, at the root.
    """
    try:
        lines = membership.read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        inside = os.path.normpath(f"/{path}").lstrip("/")
        for root in {groups / controllers, *(groups / each for each in controllers.split(","))}:
            folder = root / inside
            yield folder
            while folder != root:
                folder = folder.parent
                yield folder


def _cores(folder: Path) -> Iterator[int]:
    """Yield how many cores a group may use, of either version of cgroups: microseconds in each period."""
    with suppress(OSError, ValueError):  # absent, or `max`
        quota, period = (folder / "cpu.max").read_text("ascii").split()
        yield max(1, -(-int(quota) // int(period)))
    with suppress(OSError, ValueError):
        quota_us = int((folder / "cpu.cfs_quota_us").read_text("ascii"))
        period_us = int((folder / "cpu.cfs_period_us").read_text("ascii"))
        if quota_us > 0:  # -1: as much as it likes
            yield -(-quota_us // period_us)


def _memory(folder: Path) -> Iterator[int]:
    """Yield how many bytes a group may use; where cgroup v1 sets no limit it names one beyond any machine."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # absent, or `max`
            yield int((folder / name).read_text("ascii"))
