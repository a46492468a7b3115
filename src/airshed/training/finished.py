"""What a finished training left: its record and its best weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from airshed.data.reference import Reference, restored
from airshed.errors import AirshedError
from airshed.integrity.formats import RUN, read_json
from airshed.integrity.provenance import sha256
from airshed.training.checkpoints import load_checkpoint


def read_run(run: Path) -> dict[str, Any]:
    """The content of ``run.json``.

    Raises:
        AirshedError: It cannot be read, or is of another version.
    """
    return read_json(run, RUN)


REFERENCE = "reference"  # what the checkpoint calls the forecast that the network departs from


class Trained(NamedTuple):
    """What a finished training gave.

    Attributes:
        weights: The best ones, by the network's own names.
        reference: The forecast that the network departs from; None: it predicts fields.
    """

    weights: dict[str, Tensor]
    reference: Reference | None


def trained(run: Path) -> Trained:
    """All that forecasts of a finished training need beside the network and the data.

    Args:
        run: ``run.json`` of the training; the checkpoint that it names lies beside it.

    Raises:
        AirshedError: The checkpoint is missing, or not the one that the record was written for.
    """
    checkpoint = read_run(run)["checkpoint"]
    path = run.parent / checkpoint["path"]
    hint = f"delete {run.parent} and run the workflow: it trains this run again"
    if not path.exists():
        raise AirshedError("the checkpoint of a finished run is missing", where=path, hint=hint)
    if sha256(path) != checkpoint["sha256"]:
        raise AirshedError(
            "the checkpoint is not the one that run.json was written for", where=path, hint=hint
        )
    content = load_checkpoint(path)
    state = content.get(REFERENCE)
    return Trained(content["state_dict"], None if state is None else restored(state))


def trained_weights(run: Path) -> dict[str, Tensor]:
    """The best weights of a finished training; see :func:`trained`."""
    return trained(run).weights
