"""Paths of one training's files: given one by one by the workflow, or found from a study alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from airshed.cli.options import DEFAULTS, named_study
from airshed.config.base import unknown_key_message
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError

PATHS = ("config", "run", "hourly", "static", "patch-elevation", "statistics", "scan-tables")


@dataclass(frozen=True)
class Given:
    """What scoring a training needs.

    Attributes:
        config: Files with the settings.
        run: ``run.json``.
        prepared: The prepared data.
        climatology: The climatology.
        output: Where the scores go.
        observations: Observations at stations, if the study has stations.
    """

    config: list[Path]
    run: Path
    prepared: Prepared
    climatology: Path
    output: Path
    observations: Path | None

    @classmethod
    def complete(
        cls,
        config: list[Path] | None,
        run: Path | None,
        prepared: Sequence[Path | None],
        climatology: Path | None,
        output: Path | None,
        observations: Path | None,
    ) -> Self:
        """What was given path by path.

        Raises:
            AirshedError: Some of it is missing.
        """
        if config and run and all(prepared) and climatology and output:
            paths = Prepared(*(path for path in prepared if path is not None))
            return cls(config, run, paths, climatology, output, observations)
        values = (config, run, *prepared, climatology, output)
        names = (*PATHS, "climatology", "output")
        lacking = [f"--{name}" for name, value in zip(names, values, strict=True) if not value]
        raise AirshedError(
            "the training to be scored is not named",
            expected="--study, --variant and --seed; or every path",
            found=f"without --study, and without {', '.join(lacking)}",
        )


def of_study(
    files: list[Path],
    variant: str | None,
    seed: int | None,
    output: Path | None,
    forecasts: Path | None,
) -> Given:
    """What scoring a finished training of a study needs.

    Args:
        files: The study's YAML files.
        variant: Which variant.
        seed: Which seed.
        output: Where the scores go; None: beside the forecasts.
        forecasts: Where the forecasts go.

    Raises:
        AirshedError: The study has no such variant or seed, it is not trained, or there is no path
            for its results.
    """
    from airshed.graph.study import StudyGraph

    study = named_study(files)
    if variant not in study.variants or seed not in study.seeds:
        raise AirshedError(
            "the study has no such training",
            where=f"study {study.study}",
            expected=f"--variant: {', '.join(study.variants)};"
            f" --seed: {', '.join(map(str, study.seeds))}",
            found=f"--variant {variant} --seed {seed}",
            hint=unknown_key_message(str(variant), study.variants, "variant")
            if variant not in study.variants
            else None,
        )
    if output is None and forecasts is None:
        raise AirshedError(
            "there is no path for the results", expected="--save-forecasts FOLDER, or --output FILE"
        )
    graph = StudyGraph(study, main=False)  # nothing is planned, so other studies do not matter
    run = graph.results / f"variants/{variant}/seed{seed}/run.json"
    if not run.is_file():
        raise AirshedError(
            "this run is not trained yet", where=run, hint="let snakemake make it, then score it"
        )
    return Given(
        [*DEFAULTS, *files],
        run,
        graph.places.prepared(variant),
        graph.places.climatology,
        output or Path(f"{forecasts}.scores.nc"),
        graph.outputs("observations")[0] if study.stations else None,
    )
