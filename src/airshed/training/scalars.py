"""Losses, learning rate and bias strengths as TensorBoard events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airshed.errors import refusing
from airshed.training.history import Row


def scalar_writer(folder: Path, step: int) -> Callable[[Row], None]:
    """A listener that writes the rows of a history into event files.

    Args:
        folder: Where the event files go.
        step: Step from which the training starts; what an earlier process wrote beyond is void.

    Raises:
        AirshedError: The package ``tensorboard`` is not installed.
    """
    with refusing(
        ImportError,
        what="TensorBoard events cannot be written",
        where="train.tensorboard",
        expected="the package tensorboard",
        hint="pip install 'airshed[tensorboard]', or set train.tensorboard to false",
        found=str,
    ):
        from torch.utils.tensorboard import SummaryWriter
    writer = SummaryWriter(str(folder), purge_step=step or None)

    def write(row: Row) -> None:
        for name, value in row.items():
            if name not in ("step", "epoch"):
                writer.add_scalar(name, value, int(row["step"]))
        writer.flush()

    return write
