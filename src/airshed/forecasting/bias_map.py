"""What an attention bias adds to the scores of one patch, laid out on the map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from airshed.arrays import Floats
from airshed.data.sphere import EARTH_RADIUS_KM, lat_lon_deg, spacing_km, unit_vectors
from airshed.errors import AirshedError
from airshed.model import Forecaster as Network
from airshed.model.geography import Fields
from airshed.training.learned import numbers
from airshed.training.record import biased_blocks

PATCHES = ("patch_row", "patch_column")
TIME, MEMBER = "init_time", "member"
ADDED = "added to the score of the query's patch and this one, before the softmax"


def patch_at(static: xr.Dataset, size: int, lat_deg: float, lon_deg: float) -> tuple[int, int]:
    """Row and column of the patch in which a place lies.

    Args:
        static: Gives ``lat2d`` and ``lon2d`` of the cells.
        size: Cells per side of a patch.
        lat_deg: Of the place.
        lon_deg: Of the place; modulo 360.

    Raises:
        AirshedError: It lies off the grid.
    """
    positions = static["lat2d"].values, static["lon2d"].values
    place = unit_vectors(np.asarray(lat_deg), np.asarray(lon_deg))
    chords = np.linalg.norm(unit_vectors(*positions) - place[:, None, None], axis=0)
    away_km = 2 * np.arcsin(chords.min() / 2) * EARTH_RADIUS_KM
    if not away_km <= max(spacing_km(*positions, axis=axis).max() for axis in (1, 2)):
        (south, north), (west, east) = ((one.min(), one.max()) for one in positions)
        raise AirshedError(
            "a place lies off the study grid",
            where=f"lat_deg {lat_deg}, lon_deg {lon_deg}",
            expected=f"a place between {south:.1f} and {north:.1f} N, {west:.1f} and {east:.1f} E",
            found=f"{away_km:.0f} km to the nearest cell",
        )
    row, column = np.unravel_index(chords.argmin(), chords.shape)
    return int(row) // size, int(column) // size


def bias_on_map(
    networks: Sequence[Network],
    x: Tensor,
    init_times: pd.DatetimeIndex,
    query: tuple[int, int],
    static: xr.Dataset,
) -> xr.Dataset:
    """The bias of one patch as query and every patch as key, and what is known of the patches.

    Args:
        networks: In evaluation mode; they differ in nothing but their weights.
        x: [T, V, Y, X] normalised inputs at the init times.
        init_times: UTC.
        query: Row and column of the patch.
        static: Static fields of the cells.

    Returns:
        ``bias`` (init_time, member, block, head, patch_row, patch_column), ``elevation``
        (patch_row, patch_column), ``u``, ``v``, ``wind_speed`` (init_time, patch_row,
        patch_column), and ``learned_<name>`` (member, block) of what is one number.

    Raises:
        AirshedError: The networks have no attention bias.
    """
    blocks, size = biased_blocks(networks[0]), networks[0].patch_size
    if not blocks:
        raise AirshedError(
            "there is no bias to look at", expected="a variant whose bias has a kind"
        )
    grid = tuple(cells // size for cells in networks[0].grid_size)
    number = int(np.ravel_multi_index(query, grid))
    _, fields = networks[0].geography(x.to(networks[0].pos_embed.device))
    values = np.stack([_of_query(one, fields, number) for one in networks], axis=1)
    elevation_m, *winds = (one.cpu().numpy().reshape(-1, *grid) for one in fields[1:])
    lat_deg, lon_deg = _centres(static, size)
    over_time = TIME, *PATCHES
    found = xr.Dataset(
        {
            "bias": (
                (TIME, MEMBER, "block", "head", *PATCHES),
                values.reshape(*values.shape[:-1], *grid),
                {"units": "1", "long_name": ADDED},
            ),
            "elevation": (PATCHES, elevation_m[0], {"units": "m"}),
            "u": (over_time, winds[0], {"units": "m s-1", "long_name": "eastward wind"}),
            "v": (over_time, winds[1], {"units": "m s-1", "long_name": "northward wind"}),
            "wind_speed": (over_time, winds[2], {"units": "m s-1"}),
            **_learned(networks, blocks),
        },
        coords={
            TIME: init_times,
            "block": blocks,
            "lat2d": (PATCHES, lat_deg, {"units": "degrees_north"}),
            "lon2d": (PATCHES, lon_deg, {"units": "degrees_east"}),
        },
    )
    return found.assign_attrs(dict(zip(("query_row", "query_column"), query, strict=True)))


def _of_query(network: Network, fields: Fields, query: int) -> Floats:
    """The bias [T, blocks, 1 or heads, N] of one query, in the blocks that have one."""
    rows = []
    for bias in (core.bias for core in network.cores if core.bias is not None):
        features = bias.features(fields).detach()
        rows.append(bias.tile(features[..., [query]], features)[:, :, 0].detach())
    found: Floats = torch.stack(rows, dim=1).cpu().numpy()
    return found


def _learned(networks: Sequence[Network], blocks: Sequence[int]) -> dict[str, Any]:
    """The numbers (member, block) that the biases have learned, by their names."""
    found = [numbers(network) for network in networks]
    first = f"blocks.{blocks[0]}."
    names = [name.removeprefix(first) for name in found[0] if name.startswith(first)]
    return {
        f"learned_{name}": (
            (MEMBER, "block"),
            [[learned[f"blocks.{block}.{name}"] for block in blocks] for learned in found],
        )
        for name in names
    }


def _centres(static: xr.Dataset, size: int) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of the middles of patches; longitudes turn as those of cells do."""
    positions = static["lat2d"].values, static["lon2d"].values
    rows, columns = (cells // size for cells in positions[0].shape)
    vectors = unit_vectors(*positions).reshape(3, rows, size, columns, size).mean(axis=(2, 4))
    lat_deg, lon_deg = lat_lon_deg(vectors)
    corner = positions[1][::size, ::size]
    return lat_deg, corner + (lon_deg - corner + 180) % 360 - 180
