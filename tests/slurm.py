"""A cluster of SLURM with one node, which is this machine: its files in one folder, nothing outside of it."""

import os
import pwd
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.running import PATIENCE_S, reserved_port, until
from tests.strict import find_program

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "sinfo", "squeue")
NODE = "node"
# No control groups and no accounting: containers have neither. Sockets at this machine alone.
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
KillWait=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SlurmdParameters=config_overrides
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=8192
PartitionName={partition} Nodes=ALL
"""


@dataclass(frozen=True)
class Slurm:
    """A running cluster."""

    environment: dict[str, str]
    """Variables by which `sbatch` and other commands find the cluster."""

    def states(self) -> list[str]:
        """Return name, node and state of all jobs, including those that have ended."""
        return self.run("squeue", "--noheader", "--states=all", "--format=%j %N %T").splitlines()

    def cancel_all(self) -> None:
        """End all jobs, and return when none is left."""
        self.run("scancel", "--user", _user())
        until(lambda: not self.run("squeue", "--noheader"))

    def run(self, program: str, *arguments: str, check: bool = True) -> str:
        """Return the output of a command of SLURM."""
        command, variables = [find_program(program), *arguments], os.environ | self.environment
        return subprocess.run(command, env=variables, check=check, capture_output=True, text=True).stdout


@contextmanager
def serving_slurm(folder: Path, *, partition: str) -> Iterator[Slurm]:
    """Start a cluster with files in a new folder; end its jobs and programs at the end.

    Args:
        folder: A short path, because it contains a socket.
        partition: The name of the only partition.
    """
    key, configuration = folder / "munge.key", folder / "slurm.conf"
    for each in ("state", "spool"):
        (folder / each).mkdir()
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    munge = {name: folder / f"munge.{name.split('-')[0]}" for name in ("socket", "pid-file", "seed-file", "log-file")}
    with ExitStack() as stack:
        ports = [stack.enter_context(reserved_port()).getsockname()[1] for _ in range(2)]
        configuration.write_text(
            CONFIGURATION.format(
                node=NODE,
                host=os.uname().nodename.split(".")[0],
                user=_user(),
                folder=folder,
                controller_port=ports[0],
                node_port=ports[1],
                partition=partition,
            )
        )
        slurm = Slurm({"SLURM_CONF": str(configuration), "SBATCH_OUTPUT": str(folder / "job-%j.out")})
        options = [f"--{name}={path}" for name, path in munge.items()]
        stack.enter_context(_running(slurm, folder, "munged", "--foreground", "--force", f"--key-file={key}", *options))
        until(munge["socket"].exists)
        controller = stack.enter_context(_running(slurm, folder, "slurmctld", "-D"))
        node = stack.enter_context(_running(slurm, folder, "slurmd", "-D", "-N", NODE))

        def accepts_jobs() -> bool:
            assert controller.poll() is node.poll() is None, "SLURM did not start"
            return slurm.run("sinfo", "--noheader", "--format=%T", check=False).strip() == "idle"

        until(accepts_jobs)
        stack.callback(slurm.cancel_all)
        yield slurm


@contextmanager
def _running(slurm: Slurm, folder: Path, program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{program}.out").open("wb") as log:
        process = subprocess.Popen(
            [find_program(program), *arguments], env=os.environ | slurm.environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
