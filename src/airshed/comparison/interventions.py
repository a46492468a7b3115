"""Networks under interventions against the same networks as they are: ``interventions.csv``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.arrays import Floats
from airshed.comparison.compare import changes, is_short, variances
from airshed.comparison.families import CELLS, judged
from airshed.comparison.inference import estimate
from airshed.comparison.pairing import SameNetworks, align
from airshed.comparison.resampling import automatic_block_length
from airshed.comparison.table import JUDGED
from airshed.comparison.verdict import Limit
from airshed.config import Study
from airshed.config.evaluation import ComparisonConfig
from airshed.errors import AirshedError
from airshed.evaluation.interventions import scores_of
from airshed.evaluation.rescoring import init_mse
from airshed.evaluation.scores import opened_scores
from airshed.evaluation.tables import write_table
from airshed.integrity.formats import SCORES, read_json

FAMILY = "interventions"
COLUMNS = (
    "intervention",
    "variant",
    "pollutant",
    "horizon_h",
    *JUDGED,
    "p_all_networks",
    "networks",
    "seed_variance",
    "seed_degrees",
    "time_variance",
    "time_degrees",
    "init_times",
    "block_length",
    "limit",
)
"""All columns of ``interventions.csv``.

Changes are those of the networks of ``variant`` under ``intervention`` against the same networks as
they are; columns that ``comparisons.csv`` has too mean the same. ``p_all_networks``: the largest
p-value of single networks, over init times alone, 1 if they do not all change in one direction:
below the level it says of all ``networks`` that they notice, without any adjustment.
"""


def write_interventions(study: Study, files: Sequence[Path], output: Path) -> None:
    """Write ``interventions.csv``; the same input gives the same bytes.

    Args:
        study: The study, or what of it this step is handed.
        files: ``interventions.json`` of runs; scores lie beside them, and ``scores.nc`` of the same
            runs too.
        output: The table.

    Raises:
        AirshedError: Scores of a run are missing, or of other weights.
    """
    undisturbed, listed = cache(_read), {path: read_json(path, SCORES) for path in files}
    _check_complete(study, listed)
    every = study.interventions.init_every_h or study.splits.test.init_every_h
    tables = []
    for name in study.interventions.apply:
        for variant in study.variants:
            pairs = [
                (_read(scores_of(path, name)), undisturbed(path.with_name("scores.nc")))
                for path, made in listed.items()
                if made["variant"] == variant and name in made["interventions"]
            ]
            if pairs:
                rows = compared(*_side_by_side(pairs), study.comparison, every)
                tables.append(rows.assign(intervention=name, variant=variant))
    table = pd.DataFrame(columns=list(COLUMNS))
    if tables:
        looks = max(1, len(study.comparison.looks))
        rows = pd.concat(tables, ignore_index=True)
        table = judged(rows, study.comparison.significance, looks, ("variant", "intervention"))
    write_table(table[list(COLUMNS)], output)


def _check_complete(study: Study, listed: Mapping[Path, Mapping[str, Any]]) -> None:
    there = {(made["variant"], made["seed"]) for made in listed.values()}
    runs = {(name, seed) for name, _ in there for seed in study.seeds}
    if missing := sorted(runs - there):
        raise AirshedError(
            "interventions are compared with all seeds of a variant",
            expected=f"{len(runs)} lists of what was scored",
            found=f"missing: {', '.join(f'{name} with seed {seed}' for name, seed in missing)}",
        )


def _read(path: Path) -> xr.DataArray:
    """Mean squared errors by init time of one network, with whose they are."""
    if not path.is_file():
        raise AirshedError(
            "scores that the table of interventions needs are missing",
            where=path,
            hint="run snakemake: it makes them",
        )
    with opened_scores(path) as scores:
        return init_mse(scores).load().assign_attrs(scores.attrs, path=str(path))


def _side_by_side(
    pairs: Sequence[tuple[xr.DataArray, xr.DataArray]],
) -> tuple[xr.DataArray, xr.DataArray]:
    """All networks under the intervention, and as they are at the same init times."""
    for changed, as_it_is in pairs:
        if changed.attrs["fingerprint"] != as_it_is.attrs["fingerprint"]:
            raise AirshedError(
                "scores under an intervention are of other weights than those of the run",
                where=f"{changed.attrs['path']} and {as_it_is.attrs['path']}",
                hint="run snakemake: it makes them anew",
            )
    under = xr.concat([changed for changed, _ in pairs], dim="seed")
    times = under["init_time"]
    alone = [as_it_is.sel(init_time=times) for _, as_it_is in pairs]
    return under, xr.concat(alone, dim="seed")


def compared(
    changed: xr.DataArray, as_it_is: xr.DataArray, settings: ComparisonConfig, step_h: int
) -> pd.DataFrame:
    """Change of RMSE of networks, overall and for each pollutant and horizon.

    Differences are taken network by network, so that only how they vary among networks counts:
    their variance over S seeds, with S - 1 degrees of freedom, and that over blocks of init times
    without what differs among networks. With one network the result holds for it alone.

    Args:
        changed: Squared errors with dimensions ``seed``, ``init_time``, ``pollutant`` and
            ``horizon_h``.
        as_it_is: Those of the same networks, seed by seed.
        settings: How they are compared.
        step_h: Hours between init times.
    """
    aligned = align([changed, as_it_is])
    errors = SameNetworks(aligned.models[0], aligned.models[1], aligned.exists)
    fixed = settings.block_length_h
    own = automatic_block_length(errors) if fixed == "auto" else math.ceil(fixed / step_h)
    found = estimate(errors, own, settings.resamples, np.random.default_rng(settings.seed))
    limit = Limit.these_days if is_short(errors, own) else None
    if errors.seeds == (1, 1):
        limit = Limit.short_test if limit else Limit.these_networks
    return pd.DataFrame(
        {
            **aligned.tests.labels(),
            **changes(found, settings.margin, limit),
            "family": [FAMILY, *[CELLS] * len(aligned.tests.pairs)],
            "p_all_networks": _of_all(errors, own, settings),
            "networks": errors.seeds[0],
            **variances(found),
            "init_times": errors.init_time_counts(),
            "block_length": own,
            "limit": limit.value if limit else "",
        }
    )


def _of_all(errors: SameNetworks, block: int, settings: ComparisonConfig) -> Floats:
    """[1 + K]: the largest p-value of single networks; 1 where they change in two directions."""
    found = [
        estimate(each, block, settings.resamples, np.random.default_rng(settings.seed))
        for each in errors.each()
    ]
    p_values = np.max([each.p_values() for each in found], axis=0)
    signs = np.sign([each.log_ratio for each in found])
    together: Floats = np.where((signs == signs[0]).all(axis=0), p_values, 1.0)
    return together
