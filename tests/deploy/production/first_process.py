"""First process of a host of the test: mounts its folders, starts its loopback network, and waits.

It is started as `unshare --mount --net --pid … python first_process.py ROOT CACHE`; all other processes of the host end
with it.
"""

import fcntl
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

SIOCSIFFLAGS = 0x8914
IS_UP_AND_RUNNING = 0x1 | 0x40
"""Flags of a network interface: IFF_UP, IFF_RUNNING."""
CACHED = {"apt": "var/cache/apt/archives", "lists": "var/lib/apt/lists", "pip": "var/cache/pip"}
"""Folders of the cache, and their location on the host: downloaded packages, so that each is loaded one time."""


def start_loopback() -> None:
    """Start the network interface `lo`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        fcntl.ioctl(opened, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IS_UP_AND_RUNNING))


def mount(*words: object) -> None:
    """Run `mount`."""
    subprocess.run(["mount", *map(str, words)], check=True)


def main() -> None:
    """Prepare the host, print `ready`, and wait for the end of the standard input, which the test holds open."""
    root, cache = map(Path, sys.argv[1:])
    start_loopback()
    mount("-t", "proc", "proc", root / "proc")
    mount("--rbind", "/sys", root / "sys")
    mount("--rbind", "/dev", root / "dev")
    for folder, mode in (("dev/shm", 1777), ("tmp", 1777), ("run", 755)):
        mount("-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", root / folder)
    for name, place in CACHED.items():
        (cache / name).mkdir(parents=True, exist_ok=True)
        (root / place).mkdir(parents=True, exist_ok=True)
        mount("--bind", cache / name, root / place)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # services whose parents ended leave no zombies
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
