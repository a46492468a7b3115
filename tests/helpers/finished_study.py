"""A tiny study on hand-made raw files, brought by the command to a finished training."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import raw_files as made
from made_study import ingest_command, write_study
from refusals import airshed

from airshed.training.checkpoints import load_checkpoint


class Finished:
    """A tiny study whose training is done."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.study, raw = folder, write_study(folder / "study"), folder / "raw"
        raw.mkdir()
        for hour in range(72):
            time = made.START + timedelta(hours=hour)
            (raw / made.member(time)).write_bytes(made.whole_hour(time))
        self.prepared = {"hourly": folder / "hourly.zarr"}
        names = ("static", "patch-elevation", "statistics", "scan-tables", "climatology")
        self.prepared |= {name: folder / f"{name}.nc" for name in names}
        self._run(*ingest_command(self.study, raw, folder))
        self._make("static-fields", "static", "--raw", raw, *self.options("hourly"))
        self._make("patch-elevation", "patch-elevation", *self.options("static"))
        self._make("statistics", "statistics", *self.options("hourly", "static"))
        self._make("scan-tables", "scan-tables")
        self._make("climatology", "climatology", *self.options("hourly", "static"))
        self._run(*self.training(self.study, folder))
        self.weights = load_checkpoint(folder / "checkpoints/best.ckpt")["state_dict"]

    def options(self, *names: str) -> tuple[object, ...]:
        return tuple(part for name in names for part in (f"--{name}", self.prepared[name]))

    def _run(self, *arguments: object) -> None:
        code, said = airshed(*arguments)
        assert code == 0, said

    def _make(self, step: str, name: str, *arguments: object) -> None:
        self._run(step, "--config", self.study, *arguments, "--output", self.prepared[name])

    def training(self, study: Path, folder: Path, *start: object) -> tuple[object, ...]:
        data = self.options("hourly", "static", "patch-elevation", "statistics", "scan-tables")
        results = ("--run", folder / "run.json", "--history", folder / "history.csv")
        given = ("--variant", "wind_baseline", "--seed", 0, "--config", study)
        return ("train", *given, *data, *results, *start)

    def evaluation(self, run: Path, output: Path) -> tuple[object, ...]:
        data = self.options(*self.prepared)
        return ("evaluate", "--run", run, "--config", self.study, *data, "--output", output)
