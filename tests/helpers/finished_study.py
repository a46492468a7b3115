"""A tiny study on hand-made raw files, brought by the command to a finished training."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from pathlib import Path

import raw_files as made
from made_study import ingest_command, write_study
from refusals import airshed
from torch import Tensor

from airshed.training.checkpoints import load_checkpoint


class Finished:
    """A tiny study in a folder, and commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.study = folder, folder / "study/study.yaml"
        self.prepared = {"hourly": folder / "hourly.zarr"}
        names = ("static", "patch-elevation", "statistics", "scan-tables", "climatology")
        self.prepared |= {name: folder / f"{name}.nc" for name in names}

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """Of the trained network."""
        found: dict[str, Tensor]
        found = load_checkpoint(self.folder / "checkpoints/best.ckpt")["state_dict"]
        return found

    def options(self, *names: str) -> tuple[object, ...]:
        return tuple(part for name in names for part in (f"--{name}", self.prepared[name]))

    def training(self, study: Path, folder: Path, *start: object) -> tuple[object, ...]:
        data = self.options("hourly", "static", "patch-elevation", "statistics", "scan-tables")
        results = ("--run", folder / "run.json", "--history", folder / "history.csv")
        given = ("--variant", "wind_baseline", "--seed", 0, "--config", study)
        return ("train", *given, *data, *results, *start)

    def evaluation(self, run: Path, output: Path) -> tuple[object, ...]:
        data = self.options(*self.prepared)
        return ("evaluate", "--run", run, "--config", self.study, *data, "--output", output)


def finish(folder: Path) -> None:
    """Write the study into ``folder``, prepare its data and train."""
    study, raw, wanted = write_study(folder / "study"), folder / "raw", Finished(folder)
    raw.mkdir()
    for hour in range(72):
        time = made.START + timedelta(hours=hour)
        (raw / made.member(time)).write_bytes(made.whole_hour(time))
    _run(*ingest_command(study, raw, folder))
    for step, name, *arguments in (
        ("static-fields", "static", "--raw", raw, *wanted.options("hourly")),
        ("patch-elevation", "patch-elevation", *wanted.options("static")),
        ("statistics", "statistics", *wanted.options("hourly", "static")),
        ("scan-tables", "scan-tables"),
        ("climatology", "climatology", *wanted.options("hourly", "static")),
    ):
        _run(step, "--config", study, *arguments, "--output", wanted.prepared[str(name)])
    _run(*wanted.training(study, folder))


def _run(*arguments: object) -> None:
    code, said = airshed(*arguments)
    assert code == 0, said
