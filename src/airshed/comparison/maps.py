"""Cells of a map in which a change of error is shown, from sums by block of days."""

from __future__ import annotations

import numpy as np
from scipy.stats import false_discovery_control

from airshed.arrays import Flags, Floats
from airshed.comparison.inference import Estimate
from airshed.comparison.pairing import seed_variance
from airshed.comparison.trainings import Part

BLOCKS = 12
FALSE_SHARE = 0.10


def shown_cells(variant: Floats, reference: Floats) -> Flags | None:
    """Cells whose mean squared error differs, at most a tenth of them falsely.

    T-tests of block means, with the variance between trainings in it (with that over time alone the
    same model trained twice differs nearly everywhere), after Benjamini and Hochberg (1995).

    Args:
        variant: Mean squared errors [S, blocks, cells] of each seed.
        reference: [S', blocks, cells].

    Returns:
        [cells]; None where trainings or blocks are too few for such tests.
    """
    seeds, blocks = (len(variant), len(reference)), variant.shape[1]
    if min(seeds) < 2 or blocks < BLOCKS:
        return None
    by_block = variant.mean(axis=0) - reference.mean(axis=0)
    by_seed = np.concatenate([variant, reference]).mean(axis=1)
    between = Part(seed_variance(by_seed, seeds[0]), np.array(sum(seeds) - 2.0))
    over_time = Part(by_block.var(axis=0, ddof=1) / blocks, np.array(blocks - 1.0))
    p_values = Estimate(by_block.mean(axis=0), (between, over_time)).p_values()
    known = np.isfinite(p_values)
    shown = np.zeros(known.shape, dtype=bool)
    if known.any():
        shown[known] = false_discovery_control(p_values[known]) <= FALSE_SHARE
    return shown
