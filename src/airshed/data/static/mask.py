"""A mask of the user: a bare array, whose row order must be that of the study grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from airshed.arrays import Flags, Floats
from airshed.errors import AirshedError, refusing

Values = TypeVar("Values", Flags, Floats)
DECISIVE = 0.1  # by how much the correlations of both row orders must differ


def read_mask(path: Path, shape: tuple[int, ...]) -> Flags:
    """Cells [Y, X] that a file keeps, an array ``.npy``, in its own row order.

    Raises:
        AirshedError: It cannot be read, has another shape, or holds other values than 0 and 1.
    """
    stored = saved_array(path, "the mask cannot be read", f"dataset.mask_file: {path}")
    if stored.shape != shape or not np.isin(stored, (0, 1)).all():
        raise AirshedError(
            "the mask does not fit the study grid",
            where=f"dataset.mask_file: {path}",
            expected=f"{shape[0]} x {shape[1]} cells of 0 (left out) or 1 (kept)",
            found=f"shape {stored.shape}, type {stored.dtype}",
        )
    mask: Flags = stored.astype(bool)
    return mask


def saved_array(path: Path, what: str, where: object, hint: str | None = None) -> NDArray[Any]:
    """The array in a file that numpy.save wrote.

    Raises:
        AirshedError: It cannot be read.
    """
    expected = "an array written by numpy.save"
    errors = OSError, ValueError, EOFError
    with refusing(*errors, what=what, where=where, expected=expected, hint=hint):
        return np.asarray(np.load(path, allow_pickle=False))


def oriented(
    mask: Flags, lat_deg: Floats, likely: Sequence[Flags], stated: str | None, path: Path
) -> Flags:
    """The mask with its rows as those of the study grid.

    Args:
        mask: Cells [Y, X] in the array's own row order.
        lat_deg: Latitudes [Y, X] of the study grid.
        likely: Cells [Y, X] that a mask is likely to keep, such as those with data and those on
            land; the first that tells both row orders apart decides.
        stated: ``north_first`` or ``south_first``, the configured order of rows, if any.
        path: Of the mask, for messages.

    Raises:
        AirshedError: The mask fits better upside down, or nothing tells how its rows run.
    """
    turned, order = mask[::-1], row_order(lat_deg)
    if stated is not None:
        return in_order_of(lat_deg, mask, stated)
    if np.array_equal(mask, turned):
        return mask
    for cells in likely:
        gain = _correlation(mask, cells) - _correlation(turned, cells)
        if gain > DECISIVE:
            return mask
        if gain < -DECISIVE:
            raise _refused("the mask lies upside down on the study grid", path, order, gain)
    raise _refused("how the rows of the mask run is not known", path, order)


def row_order(lat_deg: Floats) -> str:
    """How the rows of latitudes [Y, X] run: ``north_first`` or ``south_first``."""
    return "south_first" if lat_deg[0].mean() < lat_deg[-1].mean() else "north_first"


def in_order_of(lat_deg: Floats, values: Values, stated: str) -> Values:
    """Values [Y, X] whose rows run as stated, with rows as those of latitudes [Y, X]."""
    return values if stated == row_order(lat_deg) else values[::-1]


def _correlation(one: Flags, other: Flags) -> float:
    if one.all() or other.all() or not (one.any() and other.any()):
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _refused(what: str, path: Path, order: str, gain: float = 0.0) -> AirshedError:
    return AirshedError(
        what,
        where=f"dataset.mask_file: {path}",
        expected=f"the rows of the study grid, {order.replace('_', ' ')}",
        found=f"correlations with data and land that rise by {-gain:.2f} with the rows reversed"
        if gain
        else "data and land fit both ways",
        hint="set dataset.mask_rows to north_first or south_first, as the array is written",
    )
