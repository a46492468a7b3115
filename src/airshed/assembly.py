"""Puts a variant's network together from the study and the prepared data."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.data.sphere import spacing_km
from airshed.data.stores import open_patch_elevation, open_scan_tables, open_static, open_statistics
from airshed.model import Forecaster, build_model
from airshed.model.attention import AUTO, Choice, Paths, Workload
from airshed.model.build import ANY, choose_attention
from airshed.model.geography import Geography
from airshed.model.scan import SCANS, RasterScan, Tables, WindScan
from airshed.variables import WIND


def build_network(
    study: Study,
    variant: str,
    prepared: Prepared,
    seed: int,
    attention: Paths = ANY,
    dtype: torch.dtype | None = None,
) -> Forecaster:
    """The untrained network of a variant.

    Args:
        study: The resolved study.
        variant: Name of one of its variants.
        prepared: Paths of the prepared data.
        seed: Seed of the initial weights.
        attention: Paths of attention; what is not named is chosen for the device.
        dtype: Precision of attention; by default that of the training.

    Raises:
        AirshedError: A prepared file is not what its name says.
    """
    scan = build_variant_scan(study.variant_stanzas[variant].scan, prepared)
    return assemble(study, variant, scan, build_geography(study, prepared), seed, attention, dtype)


def assemble(
    study: Study,
    variant: str,
    scan: RasterScan | WindScan,
    geography: Geography,
    seed: int,
    attention: Paths = ANY,
    dtype: torch.dtype | None = None,
) -> Forecaster:
    """The untrained network of a variant, with the scan and the geography that it is given."""
    model, grid = study.model, study.dataset.grid
    return build_model(
        study.inputs,
        (grid.rows, grid.columns),
        bias=study.variant_stanzas[variant].bias_stanza(),
        backbone=study.variant_stanzas[variant].backbone_stanza(),
        scan=scan,
        geography=geography,
        targets=study.targets,
        without=study.variant_stanzas[variant].left_out(),
        seed=seed,
        patch_size=model.patch,
        embed_dim=model.dim,
        depth=model.depth,
        decoder_depth=model.decoder_depth,
        num_heads=model.heads,
        mlp_ratio=model.mlp_ratio,
        drop_path=model.drop_path,
        drop_rate=model.dropout,
        recompute_blocks=study.train.recompute_blocks,
        device=device_of(study),
        samples=study.train.batch_size,
        dtype=dtype or precision_of(study),
        attention=attention._replace(biased=study.train.attention)
        if study.train.attention != AUTO
        else attention,
    )


def attention_choices(study: Study, variant: str) -> dict[str, Choice]:
    """The paths that suit a variant on this machine, ``plain`` and, if none is set, ``biased``."""
    model, (rows, columns) = study.model, study.patch_grid
    workload = Workload(
        study.train.batch_size,
        rows * columns,
        model.heads,
        model.dim // model.heads,
        precision_of(study),
        device_of(study),
    )
    pinned = study.train.attention != AUTO
    stanza = {"kind": "none"} if pinned else study.variant_stanzas[variant].bias_stanza()
    return choose_attention(stanza, (rows, columns), workload)


def precision_of(study: Study) -> torch.dtype:
    """In which precision attention is computed."""
    return torch.bfloat16 if study.train.precision == "bf16-mixed" else torch.float32


def device_of(study: Study) -> torch.device:
    """Where the study's networks run."""
    on_gpu = study.train.accelerator != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if on_gpu else "cpu")


def build_variant_scan(name: str, prepared: Prepared) -> RasterScan | WindScan:
    """The scan of that name, with the prepared tables if it needs any."""
    if name not in SCANS:
        return RasterScan()
    scan = SCANS[name]
    stored = open_scan_tables(prepared.scan_tables, scan.tables)
    parts = ("local_order", "region_token")
    order, token = (stored[f"{scan.tables}_{part}"].values for part in parts)
    rows, columns = stored.attrs["region_cells"]
    tables = Tables(torch.from_numpy(order), torch.from_numpy(token), (int(rows), int(columns)))
    return scan(tables)


def build_geography(study: Study, prepared: Prepared) -> Geography:
    """Terrain in metres and the way from normalised wind to m s-1 along the grid's axes."""
    static, statistics = open_static(prepared.static), open_statistics(prepared.statistics)
    elevation = open_patch_elevation(prepared.patch_elevation)["elevation_m"]
    channels = wind_channels(study)
    wind = statistics.sel(variable=list(WIND)) if channels else None
    return Geography(
        elevation_m=_floats(elevation).flatten(),
        wind_channels=channels,
        wind_mean_ms=torch.zeros(2) if wind is None else _floats(wind["mean"]),
        wind_std_ms=torch.ones(2) if wind is None else _floats(wind["std"]),
        to_grid=wind_to_grid(static, study.dataset.wind_frame),
        to_earth=wind_to_earth(static, study.dataset.wind_frame),
        mask=_floats(static["domain_mask"]),
        patch_size=study.model.patch,
        spacing_km=cell_spacing_km(static),
    )


def wind_channels(study: Study) -> tuple[int, int] | None:
    """Which inputs are the wind; None for a study whose variants do without."""
    if not set(WIND) <= set(study.inputs):
        return None
    return study.inputs.index("u"), study.inputs.index("v")


def cell_spacing_km(static: xr.Dataset) -> tuple[float, float]:
    """Mean distance of cells in adjacent rows, and in adjacent columns."""
    lat_deg, lon_deg = static["lat2d"].values, static["lon2d"].values
    rows, columns = (float(spacing_km(lat_deg, lon_deg, axis).mean()) for axis in (1, 2))
    return rows, columns


def wind_to_grid(static: xr.Dataset, wind_frame: str) -> Tensor:
    """Matrix [2, 2, Y, X] from (u, v) to components along increasing columns and rows.

    Wind relative to the earth is projected on the axes' directions. Wind relative to the grid
    already has them, but its v points north whichever way the rows run.
    """
    axes = _axes(static)
    if wind_frame == "earth":
        return axes
    to_grid = torch.zeros_like(axes)
    to_grid[0, 0] = axes[0, 0].sign()
    to_grid[1, 1] = axes[1, 1].sign()
    return to_grid


def wind_to_earth(static: xr.Dataset, wind_frame: str) -> Tensor:
    """Matrix [2, 2, Y, X] from (u, v) to components eastward and northward.

    The axes are at right angles, so the way back from components along them is the transpose.
    """
    axes = _axes(static)
    if wind_frame == "earth":
        return torch.eye(2)[:, :, None, None].expand_as(axes).clone()  # DDP shares whole tensors
    return torch.einsum("ajyx,abyx->jbyx", axes, wind_to_grid(static, wind_frame))


def _axes(static: xr.Dataset) -> Tensor:
    """East and north component [2, 2, Y, X] of the directions of increasing columns and rows."""
    names = (("column_east", "column_north"), ("row_east", "row_north"))
    return torch.stack([torch.stack([_floats(static[name]) for name in row]) for row in names])


def _floats(field: xr.DataArray) -> Tensor:
    return torch.from_numpy(field.values.astype(np.float32))
