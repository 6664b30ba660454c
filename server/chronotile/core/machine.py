"""Resources of this process: cores and memory of the machine, within its containers, and local disks."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
"""Control groups of this process (cgroups(7)): lines `id:controllers:path`, in cgroup v2 without controllers."""
GROUPS = Path("/sys/fs/cgroup")
"""Folder of the groups; in cgroup v1 it has one folder per controller or set of controllers."""
MOUNTS = Path("/proc/self/mountinfo")
"""Mounted file systems (proc_pid_mountinfo(5)): `36 35 98:0 /root /mount/point options - type source options`."""
FILE_SYSTEMS_HERE = {"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "squashfs", "tmpfs", "vfat", "xfs", "zfs"}
"""File systems that do not wait for other machines or programs."""
NETWORK_FILE_SYSTEMS = {
    *("acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs"),
    *("nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs"),
    # disks of a host in its virtual machines
    *("9p", "drvfs", "fakeowner", "prl_fs", "vboxsf", "virtiofs", "vmhgfs"),
    # programs; without a name they serve object stores
    "fuse",
    *(f"fuse.{program}" for program in ("blobfuse", "blobfuse2", "ceph", "ceph-fuse", "curlftpfs", "davfs2", "daos")),
    *(f"fuse.{program}" for program in ("eosxd", "gcsfuse", "glusterfs", "goofys", "grpcfuse", "juicefs", "lizardfs")),
    *(f"fuse.{program}" for program in ("mfs", "mount-s3", "osxfs", "ossfs", "quobyte", "rclone", "s3fs", "seaweedfs")),
    *(f"fuse.{program}" for program in ("sshfs", "vmhgfs-fuse")),
}
"""File systems that several machines may write to, or that lack the locks and shared memory of a disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Resources that a process may use."""

    cores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """The limits that control groups set for a process; `None`: no limit."""

    cores: int | None
    """Rounded up."""
    memory_bytes: int | None


def this_machine() -> Machine:
    """Return the resources of this machine that this process may use."""
    limits = group_limits(MEMBERSHIP, GROUPS)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cores=cores if limits.cores is None else min(cores, limits.cores),
        memory_bytes=memory if limits.memory_bytes is None else min(memory, limits.memory_bytes),
    )


def group_limits(membership: Path, groups: Path) -> GroupLimits:
    """Return the smallest limits of the groups of a process and their parents.

    Args:
        membership: File such as `MEMBERSHIP`; without it there are no limits.
        groups: Folder such as `GROUPS`.
    """
    folders = list(_folders(membership, groups))
    return GroupLimits(
        cores=min((cores for folder in folders for cores in _cores(folder)), default=None),
        memory_bytes=min((size for folder in folders for size in _memory(folder)), default=None),
    )


def are_on_disks_here(paths: Iterable[Path], mounts: Path = MOUNTS) -> bool:
    """Return whether all paths, before and after following links, are on local disks.

    Checks of files on local disks return immediately; on a mount of another machine they may hang. Returns false if the
    file system is unknown, as on systems without `MOUNTS`.
    """
    try:
        kinds = _file_systems(mounts)
    except OSError:
        return False
    spelled = {spelling for path in paths for spelling in (path.absolute(), path.resolve())}
    return all(_file_system_of(path, kinds) in FILE_SYSTEMS_HERE for path in spelled)


def network_file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the file system of `path`, such as `nfs4`, if it is in `NETWORK_FILE_SYSTEMS`; otherwise `None`.

    Unknown file systems, as on systems without `MOUNTS`, count as local disks.
    """
    try:
        kind = _file_system_of(path.resolve(), _file_systems(mounts))
    except OSError:
        return None
    return kind if kind in NETWORK_FILE_SYSTEMS else None


def _file_systems(mounts: Path) -> dict[str, str]:
    """Return file systems by mount point; of several at one point the last, which hides the others."""
    kinds = {}
    for line in mounts.read_text("utf-8", "surrogateescape").splitlines():
        place, _, source = line.partition(" - ")
        mounted_at = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place.split()[4])
        kinds[mounted_at] = source.split()[0]
    return kinds


def _file_system_of(path: Path, kinds: dict[str, str]) -> str | None:
    return next((kinds[str(folder)] for folder in (path, *path.parents) if str(folder) in kinds), None)


def _folders(membership: Path, groups: Path) -> Iterator[Path]:
    """Yield the folders of each group and its parents, existing or not.

    In a container the path may be a path of the host; then only its end is mounted, at the root.
    """
    try:
        lines = membership.read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        inside = os.path.normpath(f"/{path}").lstrip("/")
        for root in {groups / controllers, *(groups / controller for controller in controllers.split(","))}:
            folder = root / inside
            yield folder
            while folder != root:
                folder = folder.parent
                yield folder


def _cores(folder: Path) -> Iterator[int]:
    """Yield the number of cores of a group, from either version of cgroups: microseconds per period."""
    with suppress(OSError, ValueError):  # absent, or `max`
        quota, period = (folder / "cpu.max").read_text("ascii").split()
        yield max(1, -(-int(quota) // int(period)))
    with suppress(OSError, ValueError):
        quota_us = int((folder / "cpu.cfs_quota_us").read_text("ascii"))
        period_us = int((folder / "cpu.cfs_period_us").read_text("ascii"))
        if quota_us > 0:  # -1: no limit
            yield -(-quota_us // period_us)


def _memory(folder: Path) -> Iterator[int]:
    """Yield the memory limit of a group; without a limit, cgroup v1 has a number beyond any machine."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # absent, or `max`
            yield int((folder / name).read_text("ascii"))
