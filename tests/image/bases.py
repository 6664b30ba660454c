"""Bases of the image, made of Debian packages and of this machine's own Node: no registry of images is needed."""

import json
import os
import pwd
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("debootstrap", "buildah", "node", "npm")
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
DEBOOTSTRAP_S = 900
COMMAND_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Images in a separate folder that outlives a run: bases are built only one time."""

    folder: Path

    def buildah(self, *arguments: object, timeout_s: float = COMMAND_S, output: bool = True) -> str:
        """Run buildah as root without a daemon; return its output, unless it goes to the log of the test."""
        place = ("--root", self.folder / "storage", "--runroot", self.folder / "run", "--storage-driver", "vfs")
        temporary = self.folder / "tmp"  # also the folder of the caches of pip and npm
        temporary.mkdir(exist_ok=True)
        return run("env", f"TMPDIR={temporary}", "buildah", *place, *arguments, timeout_s=timeout_s, output=output)

    def has(self, name: str) -> bool:
        """Return whether there is such an image."""
        return f"localhost/{name}" in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def remove_containers(self) -> None:
        """Remove the working containers that this or a killed run has left."""
        for container in self.buildah("containers", "--quiet").split():
            with suppress(AssertionError):  # half made or half removed by a run that was killed
                self.buildah("rm", container)


def run(*command: object, timeout_s: float, output: bool = True) -> str:
    """Run a program at low priority and return its output; after its time limit it is killed with its children.

    Raises:
        AssertionError: It failed; the message has the end of its output.
        subprocess.TimeoutExpired: It took too long.
    """
    with subprocess.Popen(
        ["nice", "-n", "10", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if output else subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, errors = process.communicate(timeout=timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, f"{command} ended with {process.returncode}:\n{(errors or printed)[-4000:]}"
    return printed.strip()


def python_base(store: Store) -> str:
    """Return the name of an image with Debian's Python as `python`."""
    name = f"chronotile-base-python:{SUITE}"
    if not store.has(name):
        root = store.folder / "rootfs"
        shutil.rmtree(root, ignore_errors=True)  # of a run that was killed
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root, timeout_s=DEBOOTSTRAP_S)
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        _commit(store, name, "scratch", (root, "/"))
        shutil.rmtree(root)
    return name


def node_base(store: Store) -> str:
    """Return the name of an image with this machine's Node and npm."""
    node = Path(run("node", "--print", "process.execPath", timeout_s=COMMAND_S))
    name = f"chronotile-base-node:{run(node, '--version', timeout_s=COMMAND_S)}"
    if not store.has(name):
        npm = Path(run("npm", "root", "--global", timeout_s=COMMAND_S)) / "npm"
        links = store.folder / "links"
        shutil.rmtree(links, ignore_errors=True)
        links.mkdir()
        for program in ("npm", "npx"):
            (links / program).symlink_to(f"../lib/node_modules/npm/bin/{program}-cli.js")
        copied = ((node, "/usr/local/bin/node"), (npm, "/usr/local/lib/node_modules/npm"), (links, "/usr/local/bin"))
        _commit(store, name, python_base(store), *copied)
    return name


def _commit(store: Store, name: str, base: str, *copied: tuple[Path, str]) -> None:
    container = store.buildah("from", base)
    for source, target in copied:
        store.buildah("copy", "--quiet", container, source, target)
    store.buildah("commit", "--quiet", "--rm", container, name, timeout_s=DEBOOTSTRAP_S)


def build_volumes(folder: Path) -> list[str]:
    """Return options of a build in which pip and npm reach the registries of this machine.

    The configuration of pip and npm is written to `folder` and is no part of the image.
    """
    mounted = {"/etc/ssl/certs/ca-certificates.crt": Path("/etc/ssl/certs/ca-certificates.crt")}
    mounted["/etc/pip.conf"] = folder / "pip.conf"
    mounted["/etc/pip.conf"].write_text(f"[global]\n{_pip_settings()}", encoding="utf-8")
    of_root = f"{pwd.getpwuid(0).pw_dir}/.npmrc"
    mounted[of_root] = folder / "npmrc"
    mounted[of_root].write_text(_npm_settings(), encoding="utf-8")
    for path in mounted.values():
        path.chmod(0o600 if path.parent == folder else path.stat().st_mode & 0o777)
    return [f"--volume={here}:{there}:ro" for there, here in mounted.items() if here.exists()]


PIP_SETTINGS = ("cert", "extra-index-url", "index-url", "proxy", "timeout", "trusted-host")
NPM_SETTINGS = ("cafile", "https-proxy", "proxy", "registry")


def _pip_settings() -> str:
    lines = run("python3", "-m", "pip", "config", "list", timeout_s=COMMAND_S).splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    named = {key.rpartition(".")[2].lstrip("."): value.strip("'") for key, value in settings.items()}
    return "".join(f"{name} = {named[name]}\n" for name in PIP_SETTINGS if name in named)


def _npm_settings() -> str:
    settings = json.loads(run("npm", "config", "list", "--json", timeout_s=COMMAND_S))
    told = {name: settings.get(name) for name in NPM_SETTINGS}
    return "".join(f"{name}={value}\n" for name, value in told.items() if value and isinstance(value, str))
