#!/usr/bin/python3
"""Stand-in of systemd's `systemctl` for hosts of the test, which have no systemd.

The commands of a unit run as its `User`, in its `WorkingDirectory`, with its `Environment`, `EnvironmentFile`, `UMask`,
capabilities and folders below /var. Restarts, limits and sandboxes are not applied, and a timer that is enabled never
fires. The output of a unit is in `LOGS`.
"""

import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDERS = (Path("/etc/systemd/system"), Path("/lib/systemd/system"))
PIDS = Path("/run/units")
LOGS = Path("/var/log/units")
CLUSTERS = Path("/etc/postgresql")
"""Debian's clusters of PostgreSQL, `VERSION/NAME`: systemd generates a unit for each."""
SPECIFIERS = {"%C": "/var/cache", "%S": "/var/lib"}
VARIABLES = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
IN_NETWORK = ("nsenter", "--target", "1", "--net")
"""Enters the network of the host; the calling command may be in the network of the machine."""
PATIENCE_S = 90
"""Default time limit for the end of a service."""


class Unit:
    """A unit file. Values of a repeated option are joined by line breaks."""

    def __init__(self, name: str) -> None:
        self.name = name if "." in name else f"{name}.service"
        file = next((folder / self.name for folder in FOLDERS if (folder / self.name).exists()), None)
        if file is None:
            sys.exit(f"Unit {self.name} not found.")
        self.file = file
        self._options: dict[str, str] = {}
        for line in map(str.strip, file.read_text("utf-8").replace("\\\n", " ").splitlines()):
            name, is_option, value = line.partition("=")
            if is_option and not line.startswith(("#", ";")):
                earlier = self._options.get(name)
                self._options[name] = f"{earlier}\n{value}" if earlier and value else value

    def value(self, name: str, default: str = "") -> str:
        """Return the value of an option with its specifiers replaced."""
        value = self._options.get(name, default)
        for specifier, text in SPECIFIERS.items():
            value = value.replace(specifier, text)
        return value

    @property
    def pid(self) -> int | None:
        """Id of the main process if it runs."""
        file = PIDS / self.name
        pid = file.read_text() if file.exists() else ""
        return int(pid) if pid and Path("/proc", pid).exists() else None

    def environment(self) -> dict[str, str]:
        """Return the variables of the commands."""
        variables = dict(VARIABLES)
        if user := self.value("User"):
            variables |= {"USER": user, "LOGNAME": user, "HOME": pwd.getpwnam(user).pw_dir}
        variables |= dict(line.split("=", 1) for line in shlex.split(self.value("Environment")))
        for name in self.value("EnvironmentFile").splitlines():
            file = Path(name.removeprefix("-"))
            if file.exists() or not name.startswith("-"):
                lines = [line for line in file.read_text("utf-8").splitlines() if re.match(r"\w+=", line)]
                variables |= {key: unquote(value) for key, _, value in (line.partition("=") for line in lines)}
        return variables

    def make_folders(self) -> None:
        """Create the folders of caches and state."""
        for option, parent in (("CacheDirectory", "/var/cache"), ("StateDirectory", "/var/lib")):
            for name in self.value(option).split():
                Path(parent, name).mkdir(mode=0o755, exist_ok=True)
                shutil.chown(Path(parent, name), self.value("User"), self.value("Group"))

    def popen(self, command: str) -> "subprocess.Popen[bytes]":
        """Start a command of the unit."""
        variables = self.environment()
        words = [part for word in shlex.split(command) for part in expand_word(word, variables)]
        user = self.value("User", "root")
        privileges = ["setpriv", f"--reuid={user}", f"--regid={self.value('Group') or user}", "--init-groups"]
        if self.value("NoNewPrivileges") == "yes":
            privileges.append("--no-new-privs")
        if names := self.value("AmbientCapabilities").lower().split():
            capabilities = ",".join(["-all", *(name.replace("cap_", "+", 1) for name in names)])
            privileges += [f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"]
        LOGS.mkdir(exist_ok=True)
        with (LOGS / self.name).open("a") as log:
            return subprocess.Popen(
                [*IN_NETWORK, *privileges, *words],
                cwd=self.value("WorkingDirectory", "/"),
                env=variables,
                umask=int(self.value("UMask", "0022"), 8),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def unquote(value: str) -> str:
    """Return a value of an environment file without its quotes."""
    return " ".join(shlex.split(value)) if value[:1] in {'"', "'"} else value


def expand_word(word: str, variables: dict[str, str]) -> list[str]:
    """Return the words of `$NAME`, or the word."""
    return shlex.split(variables.get(word[1:], "")) if re.fullmatch(r"\$\w+", word) else [word]


def start(unit: Unit) -> None:
    """Start a unit unless it runs; a oneshot service is waited for."""
    if unit.name == "postgresql.service":
        start_clusters()
        return
    if unit.pid or not unit.name.endswith(".service"):
        return
    unit.make_folders()
    PIDS.mkdir(exist_ok=True)
    if unit.value("Type") != "oneshot":
        (PIDS / unit.name).write_text(str(unit.popen(unit.value("ExecStart")).pid))
        return
    for command in "\n".join(map(unit.value, ("ExecStartPre", "ExecStart", "ExecStartPost"))).split("\n"):
        if command and unit.popen(command).wait():
            sys.exit(f"Job for {unit.name} failed:\n{(LOGS / unit.name).read_text()}")


def start_clusters() -> None:
    """Start all clusters of PostgreSQL, and wait for them: services that fail are not restarted here."""
    for folder in CLUSTERS.glob("*/*"):
        command = ("pg_ctlcluster", "--skip-systemctl-redirect", folder.parent.name, folder.name, "start")
        subprocess.run([*IN_NETWORK, *command], check=True, stdout=subprocess.DEVNULL)
    while subprocess.run(["pg_isready", "--quiet"], check=False).returncode:
        time.sleep(0.05)


def stop(unit: Unit) -> None:
    """End a service as systemd does, by SIGTERM to its processes.

    Raises:
        SystemExit: It did not end in the time of the unit, and was killed.
    """
    if (pid := unit.pid) is None:
        return
    patience_s = float(unit.value("TimeoutStopSec", str(PATIENCE_S)).removesuffix("s"))
    end = time.monotonic() + patience_s
    os.killpg(pid, signal.SIGTERM)
    while unit.pid:
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
            sys.exit(f"{unit.name} was killed: it did not end within {patience_s} s")
        time.sleep(0.05)


def enable(unit: Unit) -> None:
    """Start a unit at each start of the host from now on."""
    link = FOLDERS[0] / f"{unit.value('WantedBy')}.wants" / unit.name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(unit.file)


def start_enabled() -> None:
    """Start all enabled services in the order of their option `After`, as at the start of the host."""
    waiting = {link.name for link in (FOLDERS[0] / "multi-user.target.wants").glob("*.service")}
    while waiting:
        first = next(name for name in sorted(waiting) if waiting.isdisjoint(Unit(name).value("After").split()))
        waiting.remove(first)
        start(Unit(first))


def main() -> None:
    """Run a command line with a verb that the page uses, `default` or `is-active`."""
    verb, *units = [word for word in sys.argv[1:] if not word.startswith("-")]
    if verb == "default":
        start_enabled()
    for unit in map(Unit, units):
        if verb == "enable":
            enable(unit)
        if verb in {"stop", "restart"}:
            stop(unit)
        if verb in {"start", "restart"} or "--now" in sys.argv:
            start(unit)
        if verb == "is-active":
            print("active" if unit.pid else "inactive")


if __name__ == "__main__":
    main()
