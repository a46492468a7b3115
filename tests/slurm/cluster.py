"""A real SLURM with several nodes on one machine, apart from any other that may run here.

Every daemon has its own folder and ports, munge included, so that nothing outside the folder is
touched: ``python tests/slurm/cluster.py FOLDER`` starts one and prints what to set to use it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
START_S = 60
STOP_S = 10

CONFIGURATION = """\
ClusterName=airshed
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={port}
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
ReturnToService=2
KillWait=10
OverTimeLimit=0
MinJobAge=600
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/finished_jobs.txt
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
GresTypes=gpu
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
    " CPUs={cpus} RealMemory={mb} Gres=gpu:{cpus}"
)
PARTITION = "PartitionName=batch Nodes={nodes} Default=YES MaxTime=1-0 State=UP DefMemPerCPU=500"


def missing() -> str | None:
    """Why no cluster can be started here, or None."""
    absent = [name for name in NEEDED if shutil.which(name, path=SYSTEM_PATH) is None]
    if absent:
        return f"SLURM is not installed: {', '.join(absent)} missing (see .ci/run)"
    return "only root can start SLURM's daemons" if os.geteuid() else None


class Cluster:
    """Munge, the controller and one daemon per node; a context that always tears them down."""

    def __init__(self, folder: Path, nodes: int = 2, cpus: int = 2, memory_mb: int = 8000) -> None:
        self.folder, self.nodes = folder.resolve(), nodes
        self.cpus, self.memory_mb = cpus, memory_mb
        self.bin = self.folder / "bin"
        self._daemons: list[subprocess.Popen[bytes]] = []

    def environment(self) -> dict[str, str]:
        """The variables with which SLURM's commands find this cluster, in jobs too."""
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        # the nodes have names of their own, which this machine cannot resolve
        return os.environ | {"PATH": path, "SLURM_CONF": self._conf, "MASTER_ADDR": "127.0.0.1"}

    @property
    def _conf(self) -> str:
        return str(self.folder / "slurm.conf")

    def __enter__(self) -> Cluster:
        self._write()
        try:
            self._start("munged", "--foreground", "--force", *self._munge_options())
            self._start("slurmctld", "-D", "-c", "-f", self._conf)
            for name in self._names():
                self._start("slurmd", "-D", "-N", name, "-f", self._conf)
            self._wait_until_idle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            self.command("scancel", "--user=root", "--signal=KILL")
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in self._daemons:
            try:
                daemon.wait(STOP_S)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def command(self, *words: str, timeout_s: float = 20) -> str:
        """What one of SLURM's commands prints."""
        done = subprocess.run(
            words,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=True,
        )
        return done.stdout

    def _names(self) -> list[str]:
        return [f"n{number}" for number in range(1, self.nodes + 1)]

    def _write(self) -> None:
        for name in ("state", "log", "run", "bin", *(f"spool/{node}" for node in self._names())):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        host, ports = socket.gethostname().split(".")[0], _free_ports(self.nodes + 1)
        lines = [CONFIGURATION.format(folder=self.folder, host=host, port=ports[0])]
        for name, port in zip(self._names(), ports[1:], strict=True):
            known = {"cpus": self.cpus, "mb": self.memory_mb, "host": host}
            lines.append(NODE.format(name=name, port=port, **known))
        lines.append(PARTITION.format(nodes=",".join(self._names())))
        Path(self._conf).write_text("\n".join(lines) + "\n", encoding="utf-8")
        # GPUs that are counted, and are not there
        for number in range(self.cpus):
            (self.folder / f"gpu{number}").touch()
        devices = f"{self.folder}/gpu[0-{self.cpus - 1}]"
        (self.folder / "gres.conf").write_text(f"Name=gpu File={devices}\n")
        # The executor drops SLURM_ variables before it calls srun in a job.
        srun = self.bin / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self._conf} exec /usr/bin/srun "$@"\n')
        srun.chmod(0o755)

    def _munge_options(self) -> list[str]:
        return [
            f"--socket={self.folder}/munge.socket",
            f"--key-file={self.folder}/munge.key",
            f"--pid-file={self.folder}/run/munged.pid",
            f"--log-file={self.folder}/log/munged.log",
            f"--seed-file={self.folder}/state/munge.seed",
        ]

    def _start(self, name: str, *options: str) -> None:
        """Start a daemon that ends with this process, however this process ends."""
        with (self.folder / "log" / f"{name}.start.log").open("ab") as stream:
            self._daemons.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", name, *options],
                    env=self.environment() | {"PATH": SYSTEM_PATH},
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                )
            )

    def _wait_until_idle(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            ended = [daemon.args for daemon in self._daemons if daemon.poll() is not None]
            if ended:
                raise RuntimeError(f"{ended} ended; see {self.folder}/log")
            with contextlib.suppress(subprocess.SubprocessError):
                states = self.command("sinfo", "--noheader", "--Node", "--format=%T", timeout_s=5)
                if states.split() == ["idle"] * self.nodes:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"the nodes are not idle after {START_S} s; see {self.folder}/log")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def main() -> None:
    """Keep a cluster up until the process is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with Cluster(Path(sys.argv[1])) as cluster:
        found = cluster.environment()
        shown = {key: found[key] for key in ("SLURM_CONF", "PATH", "MASTER_ADDR")}
        sys.stdout.write("".join(f"export {key}='{value}'\n" for key, value in shown.items()))
        sys.stdout.write(cluster.command("sinfo", "-N", "-l"))
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
