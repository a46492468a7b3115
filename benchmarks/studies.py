"""How often whole studies err: summaries of errors, simulated, and judged by the package.

A study's log RMSE by training, pollutant and horizon are drawn from normal distributions as wide as
those of trained networks, and variances over init times with their estimates from chi-square ones;
spread, intervals and Holm's adjustment are the package's functions. So ten thousand studies take
seconds. What comes before, from errors by init time to these summaries, is counted on fewer studies
by ``calibration.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.comparison.inference import Estimate, holm
from airshed.comparison.pairing import with_overall
from airshed.comparison.planning import Precision
from airshed.comparison.trainings import Part, Spread, seed_parts

Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

CELLS = 24
ALPHA, MARGIN = 0.05, 0.01
REPLICATES, BATCH = 10_000, 1000
PAIRED_FROM = {3: 0.58, 5: 0.31, 10: 0.14}  # correlation from which pairing by seed gains


@dataclass(frozen=True)
class StudyDesign:
    """What the trainings and test periods of a study are like; spreads are of log RMSE.

    Attributes:
        variants: How many are compared with one reference.
        seeds: Trainings of each variant.
        reference_seeds: Of the reference; as many as of each variant if 0.
        seed_correlation: Between trainings of different models that have the same seed.
        cell_correlation: Between pollutants and horizons.
        seed_sd: Spread between trainings in one of them.
        noisy: Spread of the last variant's trainings over that of all others.
        noisy_reference: The same of the reference.
        time_sd: Of a change over test periods in one of them.
        time_degrees: Degrees of freedom of the estimate of its square.
        change: True relative change of each variant; the last ones have none where it is shorter.
    """

    variants: int = 6
    seeds: int = 3
    reference_seeds: int = 0
    seed_correlation: float = 0.0
    cell_correlation: float = 0.64
    seed_sd: float = 0.012
    noisy: float = 1.0
    noisy_reference: float = 1.0
    time_sd: float = 0.0025
    time_degrees: float = 9.0
    change: tuple[float, ...] = ()

    @property
    def overall_share(self) -> float:
        """Variance of a mean over all cells over that of one."""
        return self.cell_correlation + (1 - self.cell_correlation) / CELLS

    def precision(self) -> Precision:
        """Of the overall rows, from the true variances."""
        other = self.reference_seeds or self.seeds
        return Precision(
            training=self.seed_sd**2 * self.overall_share,
            training_degrees=self.variants * (self.seeds - 1) + other - 1,
            seeds=(self.seeds, other),
            over_time=self.time_sd**2 * self.overall_share,
            time_degrees=self.time_degrees,
            level=ALPHA / self.variants,
        )


@dataclass(frozen=True)
class Draws:
    """Simulated studies: log RMSE of trainings [S, R, 1 + K] of each model, the reference last."""

    trainings: list[Floats]
    times: list[Floats]
    time_variances: list[Floats]

    def first(self, seeds: int) -> Draws:
        """The same studies with the first seeds alone."""
        return replace(self, trainings=[log_rmse[:seeds] for log_rmse in self.trainings])


def draw(design: StudyDesign, replicates: int, rng: np.random.Generator) -> Draws:
    """Log RMSE of all trainings, effects of the test period and estimates of their variance."""
    counts = [design.seeds] * design.variants + [design.reference_seeds or design.seeds]
    common = _cells(design, rng, (max(counts), replicates))
    shares = np.sqrt([design.seed_correlation, 1 - design.seed_correlation])
    times_as_far = {
        design.variants - 1: design.noisy,
        design.variants: design.noisy_reference,
    }
    trainings, times, variances = [], [], []
    for model, count in enumerate(counts):
        sd = design.seed_sd * times_as_far.get(model, 1.0)
        own = _cells(design, rng, (count, replicates))
        change = design.change[model] if model < len(design.change) else 0.0
        change = change if model < design.variants else 0.0
        both = sd * (shares[0] * common[:count] + shares[1] * own)
        trainings.append(with_overall(both) + np.log1p(change))
        effect = design.time_sd / np.sqrt(2) * _cells(design, rng, (replicates,))
        times.append(with_overall(effect))
        drawn = rng.chisquare(design.time_degrees, (replicates, 1)) / design.time_degrees
        true = np.array([design.overall_share, *[1.0] * CELLS]) * design.time_sd**2
        variances.append(drawn * true)
    return Draws(trainings, times, variances)


def _cells(design: StudyDesign, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """[*shape, cells]: standard normal, correlated between cells."""
    own = rng.standard_normal((*shape, CELLS))
    shared = rng.standard_normal((*shape, 1))
    part = design.cell_correlation
    mixed: Floats = np.sqrt(1 - part) * own + np.sqrt(part) * shared
    return mixed


def estimates(design: StudyDesign, drawn: Draws, way: str = "adopted") -> Iterator[Estimate]:
    """The estimate of each variant's change, by one of the ways to take seeds into account.

    ``adopted`` is the package's; ``own`` takes a pair's own variance, ``larger`` the moderated one
    where it is larger, also of a model that stands out, and ``paired`` differences by seed where
    their correlation says so.
    """
    spreads = [Spread.of(log_rmse) for log_rmse in drawn.trainings]
    study, reference = reduce(add, spreads), drawn.trainings[-1]
    for model, log_rmse in enumerate(drawn.trainings[:-1]):
        own, counts = spreads[model] + spreads[-1], (len(log_rmse), len(reference))
        shared = sum(1 / count for count in counts)
        weighted = (4 * study.variance + own.degrees * own.variance) / (4 + own.degrees)
        if way == "own":
            parts = [Part(shared * own.variance, np.array(float(own.degrees)))]
        elif way == "larger":
            degrees = float(min(4 + own.degrees, study.degrees))
            parts = [Part(shared * np.maximum(own.variance, weighted), np.array(degrees))]
        else:
            parts = list(seed_parts((spreads[model], spreads[-1]), counts, study))
        if way == "paired" and counts[0] in PAIRED_FROM:
            wins = (correlations(log_rmse, reference) > PAIRED_FROM[counts[0]])[:, None]
            paired = (log_rmse - reference).var(axis=0, ddof=1) / counts[0]
            parts = [
                Part(
                    np.where(wins, paired, parts[0].variance),
                    np.where(wins, counts[0] - 1.0, parts[0].degrees),
                ),
                Part(np.where(wins, 0.0, parts[1].variance), parts[1].degrees),
            ]
        ratio = log_rmse.mean(axis=0) - reference.mean(axis=0)
        ratio += drawn.times[model] - drawn.times[-1]
        over_time = Part(drawn.time_variances[model], np.array(design.time_degrees))
        even = [piece for part in parts for piece in _by_degrees(part)]
        yield Estimate(ratio, (*even, over_time))


def _by_degrees(part: Part) -> Iterator[Part]:
    """The same as parts of one number of degrees of freedom each, whose quantile is found once."""
    for degrees in np.unique(part.degrees):
        yield Part(np.where(part.degrees == degrees, part.variance, 0.0), np.array(degrees))


def correlations(one: Floats, other: Floats) -> Floats:
    """[R]: of log RMSE over equal seeds, pooled over cells."""
    departures = [(values - values.mean(axis=0))[..., 1:] for values in (one, other)]
    products = (departures[0] * departures[1]).sum(axis=(0, 2))
    squares = [np.square(part).sum(axis=(0, 2)) for part in departures]
    found: Floats = products / np.sqrt(squares[0] * squares[1])
    return found


@dataclass(frozen=True)
class Claims:
    """What is claimed of each variant, [R, G, 1 + K]: alone, and after adjustment in families."""

    alone: Truths
    different: Truths
    equivalent: Truths
    beyond: Truths


def claims(found: list[Estimate], level: float = ALPHA) -> Claims:
    """The statements that are made at a level.

    P-values are only told apart as far as Holm's adjustment asks: by the levels that it compares
    them with. So no p-value has to be solved for.
    """
    tests = max(CELLS, len(found))
    low, high = np.log1p(-MARGIN), np.log1p(MARGIN)
    p_values: list[list[Floats]] = [[], [], []]
    for one in found:
        size, inside, outside = (
            np.abs(one.log_ratio),
            np.minimum(one.log_ratio - low, high - one.log_ratio),
            np.maximum(low - one.log_ratio, one.log_ratio - high),
        )
        counts = np.zeros((3, *size.shape))
        for number in range(1, tests + 1):
            two_sided, one_sided = (one.half_width(n * level / number) for n in (1, 2))
            counts += size > two_sided, inside > one_sided, outside > one_sided
        rounded = np.where(counts > 0, level / np.maximum(counts, 1) * (1 - 1e-9), 1.0)
        for kind, values in zip(p_values, rounded, strict=True):
            kind.append(values)
    alone, equivalent, beyond = (np.stack(kind, axis=1) for kind in p_values)
    different = _adjusted(alone, level)
    return Claims(
        alone=alone < level,
        different=different,
        equivalent=_adjusted(equivalent, level),
        beyond=_adjusted(beyond, level) & different,
    )


def _adjusted(p_values: Floats, level: float) -> Truths:
    """Overall rows adjusted over variants, the others within each variant."""
    overall = holm(p_values[:, :, 0])[..., None]
    return np.concatenate([overall, holm(p_values[:, :, 1:])], axis=-1) < level


def counted(design: StudyDesign, replicates: int, way: str = "adopted") -> dict[str, float]:
    """Shares of studies with a claim of each kind in any overall row, and in any cell of a variant.

    Without any true change, all differences are errors; where all are as large as the margin, all
    claims of equivalence and of more than the margin are.
    """
    rng = np.random.default_rng(1)
    sums: dict[str, float] = {}
    batches = max(1, replicates // BATCH)
    for _ in range(batches):
        drawn = draw(design, min(BATCH, replicates), rng)
        said = claims(list(estimates(design, drawn, way)))
        of_batch = {
            "overall alone": said.alone[:, :, 0].any(1).mean(),
            "last alone": said.alone[:, -1, 0].mean(),
        }
        for kind in ("different", "equivalent", "beyond"):
            made: Truths = getattr(said, kind)
            of_batch |= {
                f"overall {kind}": made[:, :, 0].any(1).mean(),
                f"cells {kind}": made[:, :, 1:].any(2).mean(),
                f"last cells {kind}": made[:, -1, 1:].any(1).mean(),
                f"first {kind}": made[:, 0, 0].mean(),
                f"first cells {kind}": made[:, 0, 1:].mean(),
            }
        sums = {name: sums.get(name, 0.0) + float(value) for name, value in of_batch.items()}
    return {"replicates": batches * min(BATCH, replicates)} | {
        name: value / batches for name, value in sums.items()
    }


def errors(design: StudyDesign, replicates: int, way: str = "adopted") -> dict[str, Any]:
    """False claims: differences where there are none, the others where all reach the margin."""
    signs = np.where(np.arange(design.variants) % 2, 1.0, -1.0) * MARGIN
    at_margin = counted(replace(design, change=tuple(signs)), replicates, way)
    null = counted(replace(design, change=()), replicates, way)
    kinds = ("equivalent", "beyond")
    return {k: v for k, v in null.items() if not k.endswith(kinds)} | {
        k: v for k, v in at_margin.items() if k.endswith(kinds)
    }


def looked_at(design: StudyDesign, looks: tuple[int, ...], level: float, replicates: int) -> float:
    """Share of studies without any change in which some look calls an overall row different."""
    rng, wrong = np.random.default_rng(2), 0.0
    batches = max(1, replicates // BATCH)
    for _ in range(batches):
        drawn = draw(replace(design, seeds=max(looks)), BATCH, rng)
        found = [
            claims(list(estimates(design, drawn.first(seeds))), level).different[:, :, 0].any(1)
            for seeds in looks
        ]
        wrong += float(np.any(found, axis=0).mean())
    return wrong / batches


NULL = {
    f"{variants} variants, {seeds} seeds, correlated {correlation}": StudyDesign(
        variants=variants, seeds=seeds, seed_correlation=correlation
    )
    for variants in (6, 18)
    for seeds in (2, 3, 5)
    for correlation in (0.0, 0.5, 0.85)
}
DEPARTURES = {
    f"{name}, {seeds} seeds": replace(design, seeds=seeds)
    for name, design in {
        "cells independent": StudyDesign(cell_correlation=0.0),
        "one variant spreads 3 times as far": StudyDesign(noisy=3.0),
        "one variant spreads 3 times as far, 18 variants": StudyDesign(noisy=3.0, variants=18),
        "one variant spreads twice as far": StudyDesign(noisy=2.0),
        "one variant spreads a third as far": StudyDesign(noisy=1 / 3),
        "the reference spreads 3 times as far": StudyDesign(noisy_reference=3.0),
        "no variance over time": StudyDesign(time_sd=0.0),
        "as much variance over time as between trainings": StudyDesign(time_sd=0.01),
        "one variant": StudyDesign(variants=1),
    }.items()
    for seeds in (2, 3, 5)
} | {
    f"reference with {more} seeds, variants with {few}": StudyDesign(
        seeds=few, reference_seeds=more, seed_correlation=0.5
    )
    for few, more in ((2, 5), (3, 5), (5, 2), (5, 3))
}
EFFECTS = (-0.01, -0.02, -0.05, -0.1)


WAYS = ("own", "larger", "adopted", "paired")
WAYS_TRIED_ON = {
    f"{seeds} seeds, correlated {correlation}": StudyDesign(
        seeds=seeds, seed_correlation=correlation, time_sd=0.0
    )
    for seeds in (2, 3, 5)
    for correlation in (0.0, 0.6)
} | {
    f"{seeds} seeds, {name} spreads 3 times as far": design
    for seeds in (2, 3, 5)
    for name, design in {
        "the last variant": StudyDesign(seeds=seeds, noisy=3.0),
        "the reference": StudyDesign(seeds=seeds, noisy_reference=3.0),
    }.items()
}
LOOKS = (2, 3, 5)


def studies(scale: float) -> dict[str, Any]:
    """Rates of all designs, of power, of looks, and of ways that are not taken."""
    replicates = max(BATCH, round(scale * REPLICATES))
    return {
        "studies": {
            "null": {name: errors(design, replicates) for name, design in NULL.items()},
            "departures": {name: errors(design, replicates) for name, design in DEPARTURES.items()},
            "power": {
                f"{seeds} seeds, correlated {correlation}": power(
                    StudyDesign(seeds=seeds, seed_correlation=correlation), replicates
                )
                for seeds in LOOKS
                for correlation in (0.0, 0.5, 0.85)
            },
            "ways": {
                way: {
                    name: errors(design, replicates, way)
                    | {"power": counted(replace(design, change=(-0.02,)), replicates, way)}
                    for name, design in WAYS_TRIED_ON.items()
                }
                for way in WAYS
            },
            "looks": {
                f"{variants} of {variants} without any change, correlated {correlation}": looks(
                    StudyDesign(variants=variants, seed_correlation=correlation), replicates
                )
                for variants in (1, 6)
                for correlation in (0.0, 0.85)
            },
        }
    }


def power(design: StudyDesign, replicates: int) -> dict[str, Any]:
    """How often changes of the first variant are found; the last is the smallest promised."""
    smallest = design.precision().smallest
    rates = [
        counted(replace(design, change=(change,)), replicates) for change in (*EFFECTS, smallest)
    ]
    return {"replicates": replicates, "smallest": smallest, "rates": rates}


def looks(design: StudyDesign, replicates: int) -> dict[str, float]:
    """Rates of studies that are looked at several times, with the level shared and without."""
    shared = ALPHA / len(LOOKS)
    return {
        "replicates": replicates,
        "undeclared": looked_at(design, LOOKS, ALPHA, replicates),
        "declared": looked_at(design, LOOKS, shared, replicates),
    }
