"""A Debian host without systemd: a root of debootstrap with separate processes, mounts and network."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.image.bases import DEBOOTSTRAP_S, SUITE, build_volumes, run

NAME = "maps.example.org"
"""The host's name on the page."""
HERE = Path(__file__).parent
STEP_S = 900
"""Time limit of a block of commands: registries may be slow."""
AUTHORITY = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt"
"""Certificate of Caddy's authority."""
TRUSTED = "/usr/local/share/ca-certificates/caddy.crt"
"""Copy of this certificate, which clients on the host trust."""
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VARIABLES = (f"PATH={PROGRAMS}", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
NAMESPACES = ("--mount", "--net", "--pid", "--uts", "--ipc")
DOWNLOADS = ("apt-get ", "pip install ")
"""Commands that need the network of this machine."""


def debian_root(cache: Path, folder: Path) -> Path:
    """Copy a new Debian root with Python, as Debian's installer leaves it, into a folder; it is built only one time."""
    base = cache / f"root-{SUITE}"
    if not base.exists():
        building = cache / "building"
        shutil.rmtree(building, ignore_errors=True)  # of a run that was killed
        run("debootstrap", "--variant=minbase", "--include=python3", SUITE, building, timeout_s=DEBOOTSTRAP_S)
        building.rename(base)
    run("cp", "--archive", "--reflink=auto", base, folder, timeout_s=STEP_S)
    return folder


def connect_registries(root: Path, folder: Path) -> None:
    """Give apt-get and pip on the host the registries of this machine."""
    build_volumes(folder)
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        shutil.copy(bundle, root / "opt/registries.crt")
    settings = (folder / "pip.conf").read_text("utf-8").replace(str(bundle), "/opt/registries.crt")
    (root / "etc/pip.conf").write_text(f"{settings}cache-dir = /var/cache/pip\n", "utf-8")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    acquire = run("apt-config", "dump", "Acquire", timeout_s=STEP_S)
    (root / "etc/apt/apt.conf.d/99-registries").write_text(acquire, "utf-8")


class Host:
    """A host that can be started; commands of blocks run on it as root.

    Its systemctl is `systemctl.py`. Packages start no service, because they are installed in the machine's network.

    Args:
        root: Its files.
        cache: Folder of downloaded packages.
    """

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self._cache = cache
        self._process: subprocess.Popen[str] | None = None
        self._pid = 0
        shutil.copy(HERE / "systemctl.py", root / "usr/local/bin/systemctl")
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n", "utf-8")
        for name in ("usr/local/bin/systemctl", "usr/sbin/policy-rc.d"):
            (root / name).chmod(0o755)
        (root / "etc/dpkg/dpkg.cfg.d/no-sync").write_text("force-unsafe-io\n", "utf-8")
        (root / "etc/hosts").write_text(f"127.0.0.1 localhost {NAME}\n", "utf-8")

    def start(self) -> None:
        """Start the host without services."""
        command = [sys.executable, HERE / "first_process.py", self.root, self._cache]
        self._process = subprocess.Popen(
            ["nice", "-n", "10", "unshare", *NAMESPACES, "--fork", "--kill-child", "--propagation=private", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"
        self._pid = int(Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text())

    def stop(self) -> None:
        """Kill all processes of the host, as a power failure does."""
        if self._process is not None:
            with self._process:
                self._process.kill()
            self._process = None

    def run(self, text: str) -> str:
        """Run a block of commands up to the first failure; return the output.

        Raises:
            AssertionError: A command failed; the message has the output of the block and of the services.
        """
        is_download = any(command in text for command in DOWNLOADS)
        entered = [option for option in NAMESPACES if not (is_download and option == "--net")]
        inside = ("chroot", self.root, "env", "--ignore-environment", "--chdir=/root", *VARIABLES)
        done = subprocess.run(
            ["nsenter", f"--target={self._pid}", *entered, *inside, "bash", "-eu", "-o", "pipefail", "-c", text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_S,
            check=False,
        )
        assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{done.stdout}\n{self._logs()}"
        return done.stdout

    def _logs(self) -> str:
        logs = sorted((self.root / "var/log/units").glob("*"))
        return "\n".join(f"== {log.name}\n{log.read_text('utf-8')[-3000:]}" for log in logs)
