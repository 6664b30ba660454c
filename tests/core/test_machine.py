"""Cores and memory of a process, as control groups of either version leave them to it."""

import os
from pathlib import Path

import pytest

from chronotile.core.machine import GroupLimits, are_on_disks_here, group_limits, network_file_system, this_machine

GIB = 1 << 30
UNLIMITED = 9223372036854771712
"""Value of cgroup v1 without a limit."""


@pytest.fixture
def limits_of(tmp_path):
    """Return `limits_of(membership, {file: text})`: the limits of a process in these groups."""

    def read(membership: str, files: dict[str, object]) -> GroupLimits:
        (tmp_path / "cgroup").write_text(membership)
        for name, text in files.items():
            file = tmp_path / "groups" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")
        return group_limits(tmp_path / "cgroup", tmp_path / "groups")

    return read


V1 = "12:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n3:cpuset:/docker/a\n1:name=systemd:/docker/a\n0::/docker/a\n"


GROUPS = {
    "v2": ("0::/\n", {"cpu.max": "200000 100000", "memory.max": GIB}, 2, GIB),
    "v2, a part of a core counts as one": ("0::/\n", {"cpu.max": "150000 100000"}, 2, None),
    "v2, less than a core": ("0::/\n", {"cpu.max": "1000 100000"}, 1, None),
    "v2, no limits": ("0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}, None, None),
    "v2, groups in groups": (
        "0::/pod/a\n",
        {
            "pod/a/cpu.max": "max 100000",
            "pod/a/memory.max": 4 * GIB,
            "pod/cpu.max": "300000 100000",
            "pod/memory.max": "max",
            "memory.max": 2 * GIB,
        },
        3,
        2 * GIB,
    ),
    "v2, moved out of its namespace": ("0::/../b\n", {"memory.max": GIB}, None, GIB),
    "v2, a colon in the path": ("0::/a:b\n", {"a:b/memory.max": GIB}, None, GIB),
    "v1": (
        V1,
        {
            "cpu,cpuacct/docker/a/cpu.cfs_quota_us": 250000,
            "cpu,cpuacct/docker/a/cpu.cfs_period_us": 100000,
            "memory/docker/a/memory.limit_in_bytes": GIB,
        },
        3,
        GIB,
    ),
    "v1, mounted at the root alone": (
        V1,
        {"cpu/cpu.cfs_quota_us": 50000, "cpu/cpu.cfs_period_us": 50000, "memory/memory.limit_in_bytes": GIB},
        1,
        GIB,
    ),
    "v1, limited around it": (
        V1,
        {
            "cpu/docker/a/cpu.cfs_quota_us": -1,
            "cpu/docker/a/cpu.cfs_period_us": 100000,
            "memory/docker/a/memory.limit_in_bytes": UNLIMITED,
            "memory/docker/memory.limit_in_bytes": 3 * GIB,
        },
        None,
        3 * GIB,
    ),
    "no files": (V1, {}, None, None),
    "in no group": ("", {"memory.max": GIB}, None, None),
}


@pytest.mark.parametrize(("membership", "files", "cores", "memory_bytes"), GROUPS.values(), ids=GROUPS)
def test_limits_are_the_least_of_all_groups(limits_of, membership, files, cores, memory_bytes):
    assert limits_of(membership, files) == GroupLimits(cores=cores, memory_bytes=memory_bytes)


def test_without_control_groups_there_are_no_limits(tmp_path):
    absent = group_limits(tmp_path / "cgroup", tmp_path)

    assert absent == GroupLimits(cores=None, memory_bytes=None)


def test_this_machine_has_at_most_what_the_kernel_reports():
    machine = this_machine()

    words = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert 1 <= machine.cores <= len(os.sched_getaffinity(0))
    assert 0 < machine.memory_bytes <= int(words["MemTotal"].split()[0]) << 10


@pytest.fixture
def mounts(tmp_path):
    """Return mounts in the system's format: local disks, two remote ones, one hidden by a disk."""
    kinds = {
        "/": "ext4",
        str(tmp_path): "ext4",
        f"{tmp_path}/elsewhere": "nfs4",
        f"{tmp_path}/with\\040space": "fuse.sshfs",
        f"{tmp_path}/hidden": "nfs4",
    }
    lines = [f"1 1 8:1 / {place} rw,relatime shared:1 - {kind} /dev/some rw" for place, kind in kinds.items()]
    file = tmp_path / "mountinfo"
    file.write_text("\n".join([*lines, f"2 1 8:2 / {tmp_path}/hidden rw - xfs /dev/other rw"]))
    return file


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["data/a.tif", "b"], True, id="disk"),
        pytest.param(["hidden/a.tif"], True, id="disk mounted over a share"),
        pytest.param(["data/a.tif", "elsewhere/a.tif"], False, id="one on a share"),
        pytest.param(["with space/a.tif"], False, id="a share whose name has a space"),
        pytest.param(["link/a.tif"], False, id="a link to a share"),
        pytest.param(["elsewhere/back/a.tif"], False, id="a link on a share"),
    ],
)
def test_file_system_of_a_path_is_determined_from_the_mounts(tmp_path, mounts, names, expected):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to("../data")

    assert are_on_disks_here([tmp_path / name for name in names], mounts) is expected


def test_no_path_is_surely_local_without_a_list_of_mounts(tmp_path):
    assert not are_on_disks_here([tmp_path], tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("data", None, id="disk"),
        pytest.param("elsewhere/absent/folder", "nfs4", id="a folder that is not there yet, on a share"),
        pytest.param("link", "nfs4", id="a link to a share"),
        pytest.param("with space", "fuse.sshfs", id="another kind"),
        pytest.param("hidden", None, id="disk mounted over a share"),
    ],
)
def test_file_systems_of_other_machines_are_recognised(tmp_path, mounts, name, kind):
    (tmp_path / "link").symlink_to("elsewhere")

    assert network_file_system(tmp_path / name, mounts) == kind


@pytest.mark.parametrize(
    ("kind", "is_of_network"),
    [
        *((kind, True) for kind in ("nfs", "ceph", "lustre", "gpfs", "beegfs", "9p", "virtiofs", "fuse")),
        *((f"fuse.{kind}", True) for kind in ("juicefs", "gcsfuse", "s3fs", "rclone", "ceph-fuse")),
        *((kind, False) for kind in ("ext4", "overlay", "zfs", "tmpfs", "fuseblk", "fuse.fuse-overlayfs")),
    ],
)
def test_disks_of_this_machine_are_distinguished_by_their_kinds(tmp_path, kind, is_of_network):
    (tmp_path / "mountinfo").write_text(f"1 1 8:1 / / rw,relatime - {kind} /dev/some rw\n")

    assert network_file_system(tmp_path, tmp_path / "mountinfo") == (kind if is_of_network else None)


def test_undetermined_file_system_is_no_network_file_system(tmp_path):
    assert network_file_system(tmp_path, tmp_path / "absent") is None
