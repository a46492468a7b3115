"""The small study, finished once without disturbance, and copies of it to be disturbed."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from workflow_runs import ROOT, STUDY, Completed, Run, environment, started

from airshed.config import read_yaml, validate_study
from airshed.config.load import merge
from airshed.graph.places import Places
from airshed.integrity.provenance import sha256, tree_files
from airshed.training.checkpoints import load_checkpoint

DATA = "results/data/tiny"
GRID = f"{DATA}/8x16"
_values = read_yaml(ROOT / "config/config.yaml")
for _path in (ROOT / "config/variants.yaml", STUDY):
    _values = merge(_values, read_yaml(_path))
PLACES = Places(validate_study(_values, "tiny"))
RESULTS = "results/tiny"
SEED = f"{RESULTS}/variants/physics_mask/seed0"
OUTPUTS = {
    "simulate": [f"{DATA}/raw"],
    "ingest": [f"{GRID}/hourly.zarr", f"{GRID}/ingest.json", f"{GRID}/quality.csv"],
    "static_fields": [str(PLACES.static)],
    "patch_elevation": [str(PLACES.patch_elevation)],
    "statistics": [str(PLACES.statistics)],
    "scan_tables": [str(PLACES.scan_tables())],
    "climatology": [str(PLACES.climatology)],
    "damping": [str(PLACES.damping)],
    "cost": [f"{RESULTS}/cost.json"],
    "train": [f"{SEED}/run.json", f"{SEED}/history.csv"],
    "evaluate": [f"{SEED}/scores.nc"],
    "interpret": [f"{SEED}/interpretation.json"],
    "baseline": [f"{RESULTS}/baselines/ridge/scores.nc"],
    "score_tables": [f"{RESULTS}/scores_by_stratum.csv"],
    "compare": [
        f"{RESULTS}/{name}.csv" for name in ("scores", "comparisons", "comparisons_by_score")
    ],
    "report": [f"{RESULTS}/report.html", f"{RESULTS}/report.md", f"{RESULTS}/figures"],
    "manifest": [f"{RESULTS}/manifest.json"],
}
"""What each rule writes; of rules that run several times, one of their jobs."""
CONTINUED = {"train": [SEED], "ingest": [f"{GRID}/.hourly.zarr.days"]}
NAMED_OTHERWISE = {"cost": "bench", "compare": "compare-study"}  # subcommands of rules
TIMED = {"cost", "train", "report", "manifest"}  # hold durations: not the same bytes every time
NUMBERS = OUTPUTS["compare"]


@dataclass(frozen=True)
class Study:
    """A checkout with results, those of an undisturbed run or a copy of them."""

    run: Run
    commands: dict[tuple[str, str], str]

    @property
    def folder(self) -> Path:
        """The checkout."""
        return self.run.folder

    def copy(self, folder: Path) -> Study:
        """The same in another folder, with Snakemake's own records."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Study(Run(folder), self.commands)

    def outputs(self, rule: str) -> list[Path]:
        """Paths of what a rule writes."""
        return [self.folder / name for name in OUTPUTS[rule]]

    def without(self, rule: str) -> Study:
        """Delete what a rule wrote, and what its next run would continue from."""
        for name in [*OUTPUTS[rule], *CONTINUED.get(rule, ())]:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return self

    def content(self, rule: str) -> dict[str, str]:
        """What a rule wrote, as far as it is determined: checksums by path."""
        if rule == "train":
            weights = load_checkpoint(self.folder / SEED / "checkpoints/best.ckpt")["state_dict"]
            rows = (self.folder / SEED / "history.csv").read_text()
            return {"history": rows} | {key: repr(w.tolist()) for key, w in weights.items()}
        files = [file for path in self.outputs(rule) for file in (tree_files(path) or [path])]
        chosen = {str(file.relative_to(self.folder)): sha256(file) for file in files}
        return dict.fromkeys(chosen, "") if rule in TIMED else chosen

    def make(self, rule: str) -> Completed:
        """The plain run of one rule and what it needs, as a user types it."""
        return self.run("--rerun-triggers", "mtime", "--", *OUTPUTS[rule])

    def command(self, rule: str) -> str:
        """The command of a rule's job, its messages not sent to a log."""
        return re.split(" 2?> ", self.commands[rule, OUTPUTS[rule][0]])[0]

    def airshed(self, command: str) -> Completed:
        """Run a command in the checkout."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )

    def seconds(self, rule: str) -> float:
        """How long a rule's job took, as Snakemake noted it."""
        output = Path(OUTPUTS[rule][0])
        name = {"evaluate": "evaluate", "train": "train"}.get(rule, rule)
        found = [*self.folder.glob(f"{output.parent}/benchmarks/{name}*.tsv")]
        with found[0].open(encoding="utf-8", newline="") as stream:
            return float(next(csv.DictReader(stream, delimiter="\t"))["s"])


def undisturbed(folder: Path) -> Study:
    """Run the small study from nothing to its manifest; states of its trainings are kept."""
    run = Run(folder)
    run.configure({"jobs": {"keep_states": True}})
    done = run()
    assert done.returncode == 0, done.stderr
    return Study(run, commands_of(done.stderr + done.stdout))


def commands_of(said: str) -> dict[tuple[str, str], str]:
    """The commands that Snakemake printed, by rule and first output."""
    pattern = r"^(?:local)?rule (\w+):.*?^ +output: ([^,\s]+).*?^Shell command: (.*?)$"
    jobs = re.findall(pattern, said, re.MULTILINE | re.DOTALL)
    return {(rule, output): command for rule, output, command in jobs}


def running(parent: int, step: str) -> psutil.Process | None:
    """The process below ``parent`` that runs a step of the ``airshed`` command."""
    try:
        for process in psutil.Process(parent).children(recursive=True):
            words = process.cmdline()
            if len(words) > 2 and words[1].endswith("/airshed") and step in words:
                return process
    except psutil.NoSuchProcess:
        pass
    return None


def killed(study: Study, rule: str, moment_s: float, everything: bool) -> bool:
    """Start a rule's job by Snakemake and kill it, alone or together with Snakemake.

    Args:
        study: Where.
        rule: The rule, whose outputs are missing.
        moment_s: When, after its process was seen first.
        everything: Whether all of the session's processes are killed, as when a machine is reset.

    Returns:
        Whether the job was still running.
    """
    step = NAMED_OTHERWISE.get(rule, rule.replace("_", "-"))
    command = ["snakemake", "--cores", "2", "--configfile", "tiny.yaml"]
    command += ["--rerun-triggers", "mtime", "--", *OUTPUTS[rule]]
    with started(study.folder, *command) as process:
        while (job := running(process.pid, step)) is None:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
        psutil.wait_procs([job], timeout=moment_s)
        alive = job.is_running()
        if alive and everything:
            os.killpg(process.pid, signal.SIGKILL)
        elif alive:
            job.kill()
        process.communicate(timeout=300)
    return alive


def in_namespace(study: Study, script: str) -> Completed:
    """Run a shell script that may mount file systems, seen by nobody else and gone at its end."""
    own = ["--map-root-user"] if os.getuid() else []
    return subprocess.run(
        ["unshare", "--mount", *own, "bash", "-euc", script],
        cwd=study.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def flip(path: Path, chance: random.Random) -> int:
    """Change one bit of a file; at which byte."""
    content = bytearray(path.read_bytes())
    place = chance.randrange(len(content))
    content[place] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return place
