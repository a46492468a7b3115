"""Weights that a training starts from: those of another run, or of a ClimaX checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from airshed.config import Study
from airshed.config.variants import Pretrained
from airshed.errors import AirshedError, refusing
from airshed.integrity.provenance import sha256
from airshed.model import Forecaster
from airshed.model.pretrained import load_pretrained
from airshed.training.finished import read_run, trained_weights
from airshed.training.learned import BIAS

log = logging.getLogger(__name__)


def load_start(
    network: Forecaster, study: Study, variant: str, seed: int, start: Path | None
) -> dict[str, Any] | None:
    """Give a new network the weights that its variant starts from.

    A network that departs from a reference forecast starts there, unless another one of the same
    study has learned already how to depart from it.

    Args:
        network: The untrained network; its weights are overwritten.
        study: The resolved study.
        variant: Name of the variant.
        seed: Seed of the run.
        start: ``run.json`` of the variant named by ``start_from``, or the checkpoint named by
            ``pretrained``; None if the variant has neither.

    Returns:
        What ``run.json`` says of it: source, sha256, and which parameters kept their initial
        values; None if the variant starts from scratch.

    Raises:
        AirshedError: The start is missing, superfluous, another run's, or does not fit.
    """
    stanza = study.variant_stanzas[variant]
    wanted = stanza.start_from or (stanza.pretrained and stanza.pretrained.checkpoint)
    if (start is None) != (wanted is None):
        raise AirshedError(
            "the weights to start from do not fit the variant",
            where=f"variants.{variant}",
            expected=f"the weights of {wanted}" if wanted else "no weights to start from",
            found=start or "none",
            hint="give --start for variants with start_from or pretrained, and for no other",
        )
    if start is None:
        started = None
    elif stanza.pretrained is not None:
        started = _from_checkpoint(network, stanza.pretrained, start)
    else:
        started = _from_run(network, stanza.start_from, seed, start)
    if study.model.departs_from != "none" and stanza.start_from is None:
        zeroed = network.zero_head()
        if started is not None:
            started["kept"] = sorted({*started["kept"], *zeroed})
    if started is not None:
        log.info("starting from %s; %d parameters keep initial values", start, len(started["kept"]))
    return started


def _from_run(network: Forecaster, variant: str | None, seed: int, start: Path) -> dict[str, Any]:
    record = read_run(start)
    if (record["variant"], record["seed"]) != (variant, seed):
        raise AirshedError(
            "the run to start from is another one",
            where=start,
            expected=f"{variant}, seed {seed}",
            found=f"{record['variant']}, seed {record['seed']}",
        )
    unfit = "the weights do not fit the network"
    with refusing(RuntimeError, what=unfit, where=start, found=str):
        missing, unexpected = network.load_state_dict(trained_weights(start), strict=False)
    wrong = [name for name in (*missing, *unexpected) if BIAS not in name]
    if wrong:
        raise AirshedError(unfit, where=start, found=wrong)
    return {
        "source": f"{record['variant']}, seed {seed}",
        "sha256": record["checkpoint"]["sha256"],
        "kept": missing,
        "ignored": unexpected,
    }


def _from_checkpoint(network: Forecaster, given: Pretrained, start: Path) -> dict[str, Any]:
    grid = None if given.patch_grid is None else (given.patch_grid.rows, given.patch_grid.columns)
    what = "a pretrained checkpoint cannot be used"
    with refusing(ValueError, OSError, what=what, where=start, found=str):
        report = load_pretrained(network, start, given.variables, grid)
    log.info("%s", report.summary())
    return {
        "source": start.name,
        "sha256": sha256(start),
        "kept": list(report.kept),
        "ignored": list(report.ignored),
        "interpolated": list(report.interpolated),
    }
