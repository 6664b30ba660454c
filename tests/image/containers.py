"""Processes in an image: its own root, user, environment and command, as a container engine would start them."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load.cgroup import Group
from tests.image.bases import Store

STATE = "/var/lib/chronotile"
PATIENCE_S = 300

# Mounts are private to the process and end with it. $AT is the root, $STATE its only writable folder except /tmp.
ENTER = """
set -eu
[ -z "$GROUP" ] || echo $$ > "$GROUP/cgroup.procs"
mount --bind "$ROOT" "$AT"
for each in proc sys dev; do mount --rbind "/$each" "$AT/$each"; done
mount -t tmpfs -o mode=1777,size=256m tmpfs "$AT/tmp"
mount --bind "$STATE" "$AT/var/lib/chronotile"
for each in $SHARED; do mount --bind "${each%%=*}" "$AT/${each#*=}"; mount -o remount,bind,ro "$AT/${each#*=}"; done
[ "$READ_ONLY" = no ] || mount -o remount,bind,ro "$AT"
exec chroot "$AT" /usr/bin/setpriv --reuid="${AS%:*}" --regid="${AS#*:}" --clear-groups \
    --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def lack_of_mounts() -> str | None:
    """Return why a process cannot have private mounts on this machine, or `None`."""
    return _lack("mount --bind /tmp /mnt", "mounts of its own cannot be given to a process here")


def lack_of_read_only() -> str | None:
    """Return why no read-only bind mount can be made here, or `None`."""
    look = "mount --bind /tmp /mnt && mount -o remount,bind,ro /mnt && ! touch /mnt/chronotile 2>/dev/null"
    return _lack(look, "read-only bind mounts cannot be made here")


def _lack(script: str, sentence: str) -> str | None:
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"{sentence}: {done.stderr.strip()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that was built, mounted at `root`."""

    name: str
    root: Path
    config: dict[str, object]
    """In Docker's form: `User`, `Env`, `Cmd`, `WorkingDir`, `Healthcheck`."""


@contextmanager
def mounted(store: Store, name: str) -> Iterator[Image]:
    """Give an image whose files can be read; nothing is left of the container at the end."""
    document = json.loads(store.buildah("inspect", "--type", "image", name))
    container = store.buildah("from", "--pull-never", name)
    try:
        root = Path(store.buildah("mount", container))
        yield Image(name=name, root=root, config=document["Docker"]["config"])
    finally:
        store.buildah("rm", container)


@dataclass(kw_only=True)
class Container:
    """An environment for concurrent processes of an image, as one user, over one writable folder."""

    image: Image
    folder: Path
    """A folder of this container alone."""
    shared: dict[str, Path] = field(default_factory=dict)
    """Folders that can be read, by their places below the root."""
    is_read_only: bool = True

    def __post_init__(self) -> None:
        for each in (self.root, self.state):
            each.mkdir(parents=True)
        user = int(str(self.image.config["User"]).partition(":")[0])
        os.chown(self.state, user, user)
        for place, folder in self.shared.items():
            self.share(place, folder)

    def share(self, place: str, folder: Path) -> None:
        """Let processes that start from now on read a folder at this place below the root."""
        (self.image.root / place).mkdir(parents=True, exist_ok=True)
        self.shared[place] = folder

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def state(self) -> Path:
        """The only folder that can be written."""
        return self.folder / "state"

    def start(
        self, *command: str, group: Group | None = None, user: str | None = None, **environment: str
    ) -> "subprocess.Popen[str]":
        """Start a command, by default that of the image; its log is in `folder`."""
        config = self.image.config
        command = command or tuple(config["Cmd"])
        inner = ["/usr/bin/env", "--ignore-environment", f"--chdir={config['WorkingDir']}", *config["Env"]]
        inner += [f"{name}={value}" for name, value in environment.items()]
        outer = {
            "GROUP": str(group.folder) if group else "",
            "ROOT": str(self.image.root),
            "AT": str(self.root),
            "STATE": str(self.state),
            "SHARED": " ".join(f"{here}={there}" for there, here in self.shared.items()),
            "READ_ONLY": "yes" if self.is_read_only else "no",
            "AS": user or str(config["User"]),
        }
        with self.log_of(command).open("a") as log:
            return subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", *inner, *command],
                env={"PATH": os.environ["PATH"]} | outer,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def log_of(self, command: Sequence[str]) -> Path:
        """Return the file with the output of a command."""
        return self.folder / f"{'-'.join(command[:2]).replace('/', '_')}.log"

    def run(self, *command: str, user: str | None = None, **environment: str) -> tuple[int, str]:
        """Return the status of a command and its output."""
        log = self.log_of(command)
        log.unlink(missing_ok=True)
        with ended(self.start(*command, user=user, **environment)) as process:
            status = process.wait(timeout=PATIENCE_S)
        return status, log.read_text(encoding="utf-8")

    def is_healthy(self, **environment: str) -> bool:
        """Return whether the health check of the image succeeds."""
        kind, *command = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*command, **environment)[0] == 0


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Yield the process and end it afterwards by SIGTERM, or kill it if that takes too long."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
