"""Is a planted truth recovered? Two simulated worlds, of which one lets terrain block transport.

Run after the studies ``recovery`` and ``recovery_flat`` (``make recovery``); writes the results
into docs/recovery.md, which says what is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import xarray as xr
from document import document
from planted import losses
from worlds import TwoWorlds, compared

from airshed.comparison.families import judged
from airshed.comparison.table import ALL
from airshed.comparison.verdict import Row, Verdict, in_short, limited
from airshed.config import Study, load_study
from airshed.evaluation.interventions import scores_of
from airshed.evaluation.rescoring import init_mse
from airshed.evaluation.scores import opened_scores

RESULTS, PAGE = Path("results"), Path("docs/recovery.md")
STUDIES = ("recovery", "recovery_flat")
LESS, MORE = -1, 1
VARIANTS = {"physics_mask": LESS, "wind_graph": LESS, "no_elevation_input": MORE}
"""What the change of RMSE in the blocked world is predicted to be, against that in the flat one."""
NOTICED = ("wind_baseline", "physics_mask", "wind_graph_flat", "wind_graph")
INTERVENTION = "no_elevation"  # raises RMSE more in the blocked world, in all of NOTICED
START = "damped_persistence"
STRANGERS = ("ridge", "climatology", "persistence")


class Ran(NamedTuple):
    """One world: its study, and the folder of what came out."""

    study: Study
    folder: Path

    @classmethod
    def of(cls, folder: Path) -> Ran:
        """From the folder of a study's results."""
        return cls(load_study([folder / "config.resolved.yaml"]), folder)

    @property
    def label(self) -> str:
        """What the world is called."""
        return f"{100 * self.study.dataset.simulator.terrain_blocking:.0f} %"

    def table(self, name: str) -> pd.DataFrame:
        """The overall rows of a table of the study."""
        rows = pd.read_csv(self.folder / name)
        return rows[rows["pollutant"] == ALL]

    def errors(self, variant: str, intervention: str | None = None) -> xr.DataArray:
        """Squared errors of a variant's networks, as they are or changed."""
        runs = [self.folder / f"variants/{variant}/seed{seed}" for seed in self.study.seeds]
        files = [
            scores_of(run / "interventions.json", intervention)
            if intervention
            else run / "scores.nc"
            for run in runs
        ]
        return xr.concat([_read(file) for file in files], dim="seed").rename(variant)


def _read(path: Path) -> xr.DataArray:
    with opened_scores(path) as scores:
        return init_mse(scores).load()


def tested(worlds: Sequence[Ran]) -> pd.DataFrame:
    """The differences between the worlds: both families, adjusted and judged."""
    settings, rows = worlds[0].study.comparison, []
    for variant, sign in VARIANTS.items():
        reference = worlds[0].study.references()[variant]
        pairs = [[world.errors(variant), world.errors(reference)] for world in worlds]
        row = compared(TwoWorlds.of(*pairs), settings)
        rows.append(row | _named("variants", variant, reference, sign))
    for variant in NOTICED:
        pairs = []
        for world in worlds:
            changed, as_it_is = world.errors(variant, INTERVENTION), world.errors(variant)
            pairs.append([changed, as_it_is.sel(init_time=changed["init_time"])])
        row = compared(TwoWorlds.of(*pairs), settings)
        rows.append(row | _named(INTERVENTION, f"{variant}, {INTERVENTION}", variant, MORE))
    found = judged(pd.DataFrame(rows), settings.significance, looks=1)
    return found.assign(outcome=[outcome(row) for row in found.to_dict("records")])


def _named(family: str, variant: str, reference: str, sign: int) -> dict[str, Any]:
    return {"family": family, "variant": variant, "reference": reference, "predicted": sign}


def outcome(row: Row) -> str:
    """What is said of the planted truth, by the table of the page."""
    as_predicted = row["relative_rmse_change"] * row["predicted"] > 0
    words = {
        Verdict.equivalent: "not recovered",
        Verdict.inconclusive: "undecided",
        Verdict.small: "recovered, but small" if as_predicted else "contradicted, but small",
    }
    said = words.get(Verdict(row["verdict"]), "recovered" if as_predicted else "contradicted")
    return f"{said}{limited(row)}"


def summary(found: pd.DataFrame) -> str:
    """What came out, in one sentence."""
    said = found.groupby("outcome", sort=False)["variant"].agg(lambda names: "; ".join(names))
    parts = [f"**{outcome}** by {names}" for outcome, names in said.items()]
    return f"In these simulated worlds the planted truth is {', '.join(parts)}."


def percent(row: Row) -> str:
    """A change with its interval."""
    change, low, high = (
        f"{100 * row[name]:+.2f}" for name in ("relative_rmse_change", "ci_low", "ci_high")
    )
    return f"{change} % ({low} to {high})"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def differences(found: pd.DataFrame) -> str:
    """The table that answers the question."""
    head = (
        "simulated: what",
        "against",
        "predicted",
        "difference between the worlds (95 % interval)",
        "p",
        "p, adjusted",
        "correlation of equal seeds",
        "planted truth",
    )
    rows = [
        (
            row["variant"],
            row["reference"],
            "below 0" if row["predicted"] == LESS else "above 0",
            percent(row),
            f"{row['p_value']:.2g}",
            f"{row['p_adjusted']:.2g}",
            f"{row['correlation']:+.2f}",
            f"**{row['outcome']}**",
        )
        for row in found.to_dict("records")
    ]
    return markdown(head, rows)


def alone(worlds: Sequence[Ran]) -> str:
    """What each world says by itself: the overall rows of its study."""
    head = (
        "simulated: what",
        "against",
        *(f"blocked {world.label}: change of RMSE (95 % interval), verdict" for world in worlds),
    )
    names = ("comparisons.csv", "interventions.csv")
    tables = [pd.concat([world.table(name) for name in names]) for world in worlds]
    if "intervention" not in tables[0]:
        tables = [table.assign(intervention=None) for table in tables]
    rows = []
    for places in zip(*(table.to_dict("records") for table in tables), strict=True):
        first = places[0]
        changed = first["intervention"] if isinstance(first["intervention"], str) else None
        names = (
            (f"{first['variant']}, {changed}", first["variant"])
            if changed
            else (first["variant"], first["reference"])
        )
        rows.append((*names, *(f"{percent(row)}, {in_short(row)}{limited(row)}" for row in places)))
    return markdown(head, rows)


def levels(worlds: Sequence[Ran]) -> str:
    """RMSE of networks, of forecasts without training, and of the simulator over flat ground."""
    lines: dict[str, list[str]] = {}
    for world in worlds:
        scores = pd.read_csv(world.folder / "scores.csv")
        scores = scores[scores["metric"] == "rmse"]
        by_test = scores.groupby(["variant", "pollutant", "horizon_h"])["value"].mean().unstack(0)
        shown = by_test[[*world.study.variants, *STRANGERS]].div(by_test[START], axis=0)
        if world.study.dataset.simulator.terrain_blocking:
            known = losses(world.study).set_index(["pollutant", "horizon_h"])
            share = known["flat"] / known["persistence"]
            shown["the simulator over flat ground"] = (
                share * by_test["persistence"] / by_test[START]
            )
        for name in shown:
            by_horizon = shown[name].groupby("horizon_h").mean()
            numbers = ", ".join(f"{value:.2f}" for value in by_horizon)
            lines.setdefault(str(name), []).append(numbers)
    horizons = ", ".join(f"{hours} h" for hours in worlds[0].study.horizons_h)
    head = ("simulated: forecast", *(f"blocked {world.label}: {horizons}" for world in worlds))
    return markdown(
        head, [(name, *cells, *[""] * (len(worlds) - len(cells))) for name, cells in lines.items()]
    )


def runs(world: Ran) -> list[dict[str, Any]]:
    """What is recorded of every training of a world."""
    files = sorted(world.folder.glob("variants/*/seed*/run.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def provenance(world: Ran) -> str:
    """What was run: seeds, samples, steps, strengths of the biases, commit."""
    ran, comparisons = runs(world), world.table("comparisons.csv")
    first, study = ran[0], world.study
    commits = sorted({str(run["commit"])[:12] for run in ran})
    alphas = [
        f"{value:.2f}"
        for run in ran
        for name, value in run.get("bias", {}).get("parameters", {}).items()
        if "alpha" in name
    ]
    return (
        f"- `{study.study}`: {len(study.seeds)} seeds, {comparisons['init_times'].iloc[0]} init"
        f" times every {study.splits.test.init_every_h} h, {first['parameters']:,} parameters,"
        f" {first['optimizer_steps']:,} steps, on {first['device']}, commit {', '.join(commits)};"
        f" alpha of the biases at the end: {', '.join(alphas)}."
    )


def section(worlds: Sequence[Ran]) -> str:
    """All of the results."""
    found = tested(worlds)
    parts = [
        summary(found),
        "What is tested, simulated blocked against simulated flat world:",
        differences(found),
        "What each simulated world says by itself (verdicts of its study; a star: beyond 1 %):",
        alone(worlds),
        f"RMSE over that of `{START}`, mean over pollutants, by horizon; below 1 is better:",
        levels(worlds),
        "\n".join(provenance(world) for world in worlds),
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    document("recovery", section([Ran.of(RESULTS / name) for name in STUDIES]), PAGE)
