"""Whether other scores agree with the verdict on RMSE: ``comparisons_by_score.csv``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from airshed.arrays import Flags, Floats
from airshed.comparison.inference import Estimate, estimate, holm
from airshed.comparison.other_scores import OTHER_SCORES, Score, compared, on_scale
from airshed.comparison.pairing import PairedErrors, SameNetworks, even_positions
from airshed.comparison.table import ALL
from airshed.comparison.trainings import Spread
from airshed.comparison.verdict import Limit, is_refused

COLUMNS = (
    "variant",
    "reference",
    "score",
    "pollutant",
    "horizon_h",
    "variant_value",
    "reference_value",
    "units",
    "change",
    "change_is",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "finding",
    "family",
    "family_size",
    "limit",
)
"""All columns of ``comparisons_by_score.csv``.

``change`` is ``relative`` to the reference or a ``difference``, as ``change_is`` says. A row over
all pollutants and horizons has the mean of the changes (of their logarithms, if relative), over
those in which the score is defined; ``p_adjusted`` is adjusted over all such rows of a ``family``,
that of other rows within a variant and score. ``finding``: ``better``, ``worse`` or ``undecided``;
``higher`` or ``lower`` for a score of which neither is better.
"""
Models = Mapping[str, xr.DataArray]


class _Tests(NamedTuple):
    """Pollutants by horizons, and which scores [n, K] are compared there."""

    pollutant: list[str]
    horizon_h: list[int]
    units: list[str]
    scores: list[str]
    compared: Flags

    def scale(self, means: Floats) -> Floats:
        """[..., SUMMED, K] to [..., n, 1 + K]: the mean of what is compared comes first."""
        every = list(OTHER_SCORES)
        chosen = on_scale(means)[..., [every.index(name) for name in self.scores], :]
        values = np.where(self.compared, chosen, 0)
        overall = values.sum(axis=-1, keepdims=True) / self.compared.sum(axis=-1, keepdims=True)
        return np.concatenate([overall, np.where(self.compared, values, np.nan)], axis=-1)


def compare_scores(
    models: Models, verdicts: pd.DataFrame, significance: float, resamples: int, rng: int
) -> pd.DataFrame:
    """Compare variants with their references by every score but RMSE.

    Args:
        models: Of each model the sums of :func:`airshed.comparison.other_scores.score_sums`,
            with dimensions ``seed``, ``summed``, ``init_time``, ``pollutant`` and ``horizon_h``.
        verdicts: ``comparisons.csv`` of the same models; its pairs, families, pairing of seeds,
            block lengths and limits hold here too.
        significance: Level that adjusted p-values must stay below.
        resamples: Resamples for each of two block lengths.
        rng: Seed of the resamples.

    Returns:
        The rows of ``comparisons_by_score.csv`` (COLUMNS).
    """
    sums, exists, tests = _aligned(models)
    if not tests.scores:
        return pd.DataFrame(columns=list(COLUMNS))
    means = (own.sum(axis=2) / exists.sum(axis=0) for own in sums.values())
    study = reduce(add, (Spread.of(tests.scale(mean)) for mean in means))
    tables = []
    for _, row in verdicts[verdicts["pollutant"] == ALL].iterrows():
        variant, reference = (sums[str(row[side])] for side in ("variant", "reference"))
        made = SameNetworks if row["seeds_paired"] else PairedErrors
        errors = made(variant, reference, exists, tests.scale)
        generator = np.random.default_rng(rng)
        found = estimate(errors, int(row["block_length"]), resamples, generator, study)
        if row["limit"] == Limit.these_days:
            found = replace(found, parts=found.parts[:-1])
        changes = _changes(row, found, errors)
        tables += [_rows(row, tests, changes, place) for place in range(len(tests.scores))]
    return _judged(pd.concat(tables, ignore_index=True), significance)[list(COLUMNS)]


def _aligned(models: Models) -> tuple[dict[str, Floats], Flags, _Tests]:
    """Sums [S, SUMMED, T, K] on an even axis of init times, and which of these [T, K] exist."""
    first = next(iter(models.values()))
    positions, _ = even_positions(first.indexes["init_time"])
    sums = {}
    for name, given in models.items():
        values = given.transpose("seed", "summed", "init_time", "pollutant", "horizon_h").values
        even = np.zeros((*values.shape[:2], positions[-1] + 1, math.prod(values.shape[3:])))
        even[:, :, positions] = values.reshape(*values.shape[:3], -1)
        sums[name] = even
    exists = np.logical_and.reduce([(own[:, 0] > 0).all(axis=0) for own in sums.values()])
    sums = {name: np.where(exists, own, 0) for name, own in sums.items()}
    defined = compared(np.concatenate([own.sum(axis=2) for own in sums.values()]))
    there: Flags = np.any(defined, axis=1)
    pairs = pd.MultiIndex.from_product([first.indexes[name] for name in ("pollutant", "horizon_h")])
    units = dict(zip(first["pollutant"].values, first["units"].values, strict=True))
    pollutants = [str(name) for name in pairs.get_level_values("pollutant")]
    tests = _Tests(
        pollutants,
        [int(horizon) for horizon in pairs.get_level_values("horizon_h")],
        [str(units[name]) for name in pollutants],
        [
            name
            for name, defined_somewhere in zip(OTHER_SCORES, there, strict=True)
            if defined_somewhere
        ],
        defined[there],
    )
    return sums, exists, tests


class _Changes(NamedTuple):
    """Of a variant against its reference, on the scale of each score, [n, 1 + K].

    ``values`` are those of the variant and of the reference, [2, n, 1 + K].
    """

    values: Floats
    change: Floats
    low: Floats
    high: Floats
    p_value: Floats


def _changes(verdict: pd.Series, found: Estimate, errors: PairedErrors) -> _Changes:
    change = found.log_ratio
    p_values = np.ones(change.shape) if is_refused(verdict) else found.p_values()
    return _Changes(errors.scale(_pooled(errors)), change, *found.bounds(), p_values)


def _rows(verdict: pd.Series, tests: _Tests, changes: _Changes, place: int) -> pd.DataFrame:
    """The rows of one variant and score, the overall one first."""
    name, shown = tests.scores[place], np.concatenate([[True], tests.compared[place]])
    score = OTHER_SCORES[name]
    plain = np.expm1 if score.relative else np.positive
    values = changes.values[:, place]
    values = np.exp(values) if score.relative else values.copy()
    if not score.units:
        values[:, 0] = math.nan  # of several units
    columns = {
        **{name: verdict[name] for name in ("variant", "reference", "limit")},
        "score": name,
        "pollutant": [ALL, *tests.pollutant],
        "horizon_h": [ALL, *tests.horizon_h],
        "variant_value": values[0],
        "reference_value": values[1],
        "units": [score.units, *(score.units or units for units in tests.units)],
        "change": plain(changes.change[place]),
        "change_is": "relative" if score.relative else "difference",
        "ci_low": plain(changes.low[place]),
        "ci_high": plain(changes.high[place]),
        "p_value": changes.p_value[place],
        "family": [verdict["family"], *["cells"] * len(tests.pollutant)],
    }
    return pd.DataFrame(columns)[shown]


def _pooled(errors: PairedErrors) -> Floats:
    """[2, SUMMED, K]: means over init times and seeds of the variant and of the reference."""
    parts = np.split(errors.means(), [len(errors.variant)])
    return np.stack([part.mean(axis=0) for part in parts])


def _judged(rows: pd.DataFrame, significance: float) -> pd.DataFrame:
    """Rows with p-values adjusted within their families, and what is found."""
    cells = rows["pollutant"] != ALL
    group = [rows["family"], rows["variant"].where(cells, ""), rows["score"].where(cells, "")]
    by_family = rows.assign(p=rows["p_value"].fillna(1.0)).groupby(group)["p"]
    adjusted = by_family.transform(lambda given: holm(given.to_numpy()))
    words = [
        _finding(OTHER_SCORES[name], change, p_value < significance)
        for name, change, p_value in zip(rows["score"], rows["change"], adjusted, strict=True)
    ]
    sizes = by_family.transform("size")
    return rows.assign(p_adjusted=adjusted, family_size=sizes, finding=words)


def _finding(score: Score, change: float, different: bool) -> str:
    if not different:
        return "undecided"
    if not score.better:
        return "higher" if change > 0 else "lower"
    return "better" if change * score.better > 0 else "worse"
