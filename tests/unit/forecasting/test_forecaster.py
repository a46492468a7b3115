"""Forecasts in Python: those of an evaluation, from fields in any unit and on either grid.

And the bias that a loaded network adds to its scores, held to its formula.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import plain_biases
import pytest
import torch
import xarray as xr
from laid_out import Laid
from tiny_runs import tiny_study

import airshed
from airshed.assembly import build_network
from airshed.data.stores import open_hourly, open_static
from airshed.errors import AirshedError
from airshed.evaluation.evaluate import Evaluation
from airshed.evaluation.network import evaluate_run
from airshed.forecasting.bias_map import bias_on_map
from airshed.training.checkpoints import load_checkpoint
from airshed.variables import TARGETS, VARIABLES

TIME = pd.Timestamp("2016-03-06T09")


@pytest.fixture(scope="module")
def hours(plain: Laid) -> xr.Dataset:
    """The hourly store, as anybody opens it."""
    return open_hourly(plain.prepared.hourly).load()


@pytest.fixture(scope="module")
def one(plain: Laid) -> airshed.Forecaster:
    return airshed.load(plain.runs[1])


@pytest.mark.parametrize("kind", ["plain", "departing"])
def test_forecasts_are_those_that_an_evaluation_keeps(
    kind: str, hours: xr.Dataset, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Of every init time of the test split: to the rounding of other batches."""
    laid: Laid = request.getfixturevalue(kind)
    run = laid.runs[1 if kind == "plain" else 0]
    files = laid.prepared.hourly, laid.prepared.static, laid.climatology
    kept = tmp_path / "forecasts.zarr"
    evaluation = Evaluation(*files, tmp_path / "scores.nc", forecasts=kept)
    evaluate_run(laid.study, run / "run.json", laid.prepared, evaluation)
    archive = xr.open_zarr(kept).load()
    forecasts = airshed.load(run).forecast(hours, archive["init_time"].values)
    assert forecasts.sizes == archive.sizes
    scored = archive["pm25"].notnull().any(("y", "x"))
    assert int(scored.sum()) > 40
    for name in TARGETS:
        assert forecasts[name].attrs == archive[name].attrs
        xr.testing.assert_allclose(forecasts[name].where(scored), archive[name], rtol=2e-5)
    assert forecasts.attrs == archive.attrs
    for name in archive.coords:
        xr.testing.assert_identical(forecasts[name].variable, archive[name].variable)


def test_all_seeds_are_members(plain: Laid, hours: xr.Dataset) -> None:
    times = ["2016-03-06T09", "2016-03-07T00"]
    both = airshed.load(plain.variant)
    found = both.forecast(hours, times)
    assert found["pm25"].dims == ("init_time", "member", "horizon", "y", "x")
    assert found["member"].values.tolist() == both.seeds == [0, 1]
    assert found["member"].attrs["standard_name"] == "realization"
    assert (found.attrs["kind"], found.attrs["members"]) == ("ensemble", 2)
    for seed, run in plain.runs.items():
        alone = airshed.load(run).forecast(hours, times)
        member = found.sel(member=seed)
        for name in TARGETS:
            np.testing.assert_array_equal(member[name], alone[name])
    listed = airshed.load([plain.runs[1], plain.runs[0]]).forecast(hours, times)
    assert listed["member"].values.tolist() == [1, 0]
    difference = found["o3"].sel(member=0) - found["o3"].sel(member=1)
    assert float(abs(difference).max()) > 0


def test_units_names_and_order_of_dimensions_do_not_matter(
    one: airshed.Forecaster, hours: xr.Dataset
) -> None:
    """The same hour in degrees Celsius and kg m-3, by other names, columns first."""
    fields = hours.sel(time=TIME)
    expected = one.forecast(fields)
    changed = fields.copy().assign(
        temp=(fields["temp"].astype(float) - 273.15).assign_attrs(units="degC"),
        pm25=(1e-9 * fields["pm25"].astype(float)).assign_attrs(units="kg m-3"),
    )
    changed = changed.rename(u="U10", pm25="PM2_5", lat2d="lat").transpose("x", "y")
    found = one.forecast(changed, "2016-03-06T10:00+01:00")
    for name in TARGETS:
        xr.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


def test_raw_files_of_the_study_are_regridded_as_by_the_ingest(
    plain: Laid, one: airshed.Forecaster, hours: xr.Dataset, tmp_path: Path
) -> None:
    """An hour that xarray reads from an archive of 10 x 20 cells, where the study has 8 x 16."""
    name = f"CN-Reanalysis{TIME:%Y%m%d%H}.nc"
    with tarfile.open(plain.raw / f"{TIME:%Y%m}/CN-Reanalysis{TIME:%Y%m%d}.tar.gz") as archive:
        member = archive.extractfile(name)
        assert member is not None
        (tmp_path / name).write_bytes(member.read())
    with xr.open_dataset(tmp_path / name) as raw:
        assert raw["pm25"].shape == (10, 20)
        found = one.forecast(raw, TIME.to_pydatetime(), [24])
    expected = one.forecast(hours, TIME.to_datetime64())
    assert found["horizon"].values.tolist() == [24]
    for name in TARGETS:
        xr.testing.assert_allclose(found[name], expected[name].sel(horizon=[24]), rtol=1e-4)


def test_what_is_forecast_is_described(one: airshed.Forecaster, hours: xr.Dataset) -> None:
    assert one.horizons_h == (12, 24)
    assert one.needs["co"] == one.gives["co"] == "mg m-3"
    assert "elevation" not in one.needs
    found = one.forecast(hours.isel(time=slice(3, 5)))
    assert found["init_time"].to_index().equals(hours["time"].to_index()[3:5])
    assert (found["valid_time"] - found["init_time"]).values[0].tolist() == [
        lead_hours * 3600 * 10**9 for lead_hours in one.horizons_h
    ]
    outside = found["domain_mask"].values == 0
    assert outside.any()
    assert found["pm25"].isnull().values[..., outside].all()
    assert found["pm25"].notnull().values[..., ~outside].all()
    assert found["pm25"].attrs["standard_name"] == VARIABLES["pm25"].standard_name


def _lacking(fields: xr.Dataset) -> xr.Dataset:
    return fields.drop_vars("rh")


def _in_wrong_unit(fields: xr.Dataset) -> xr.Dataset:
    return fields.assign(psfc=fields["psfc"].assign_attrs(units="kg"))


def _without_unit(fields: xr.Dataset) -> xr.Dataset:
    return fields.assign(o3=fields["o3"].drop_attrs())


def _impossible(fields: xr.Dataset) -> xr.Dataset:
    return fields.assign(temp=(fields["temp"] * 10).assign_attrs(units="K"))


def _constant(fields: xr.Dataset) -> xr.Dataset:
    return fields.assign(no2=(fields["no2"] * 0 + 1).assign_attrs(units="ug m-3"))


def _elsewhere(fields: xr.Dataset) -> xr.Dataset:
    return fields.assign_coords(lon2d=fields["lon2d"] - 1)


def _empty(fields: xr.Dataset) -> xr.Dataset:
    return fields.assign(so2=fields["so2"].where(False))


def _too_coarse(fields: xr.Dataset) -> xr.Dataset:
    return fields.isel(x=slice(0, 8))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_lacking, "expected: rh"),
        (_in_wrong_unit, "a unit cannot be converted"),
        (_without_unit, "the unit of a variable is unknown"),
        (_impossible, "physically impossible"),
        (_constant, "the same value everywhere"),
        (_elsewhere, "neither on the study grid"),
        (_empty, "no value of so2"),
        (_too_coarse, "finer than the data"),
    ],
)
def test_fields_are_checked_as_an_ingest_checks_them(
    one: airshed.Forecaster, hours: xr.Dataset, change: object, said: str
) -> None:
    with pytest.raises(AirshedError, match=said) as refused:
        one.forecast(change(hours.sel(time=TIME)))  # type: ignore[operator]
    if change not in (_too_coarse,):
        assert "2016-03-06 09:00:00" in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"init_time": "2020-01-01"}, "lack an init time"),
        ({"init_time": []}, "no hour to forecast from"),
        ({"init_time": "noon"}, "is not understood"),
        ({"init_time": "2016-03-06T09:30"}, "is not understood"),
        ({"init_time": [TIME.to_pydatetime()], "horizons_h": [12, 36]}, "expected: 12 h, 24 h"),
        ({"horizons_h": []}, "not trained for a horizon"),
    ],
)
def test_times_and_horizons_are_checked(
    one: airshed.Forecaster, hours: xr.Dataset, arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(AirshedError, match=said):
        one.forecast(hours, **arguments)  # type: ignore[arg-type]


def test_an_hour_without_a_time_has_to_be_named(one: airshed.Forecaster, hours: xr.Dataset) -> None:
    fields = hours.sel(time=TIME)
    with pytest.raises(AirshedError, match="lack an init time"):
        one.forecast(fields, "2016-03-06T10")
    unnamed = fields.drop_vars("time")
    with pytest.raises(AirshedError, match="not clear which hour"):
        one.forecast(unnamed)
    xr.testing.assert_identical(one.forecast(unnamed, TIME.to_pydatetime()), one.forecast(fields))


def test_what_cannot_be_loaded_is_explained(plain: Laid, departing: Laid, tmp_path: Path) -> None:
    copy = tmp_path / "results/tiny/variants/physics_mask/seed0"
    shutil.copytree(plain.runs[0], copy)
    study = tmp_path / "two"
    shutil.copytree(plain.runs[0], study / "variants/physics_mask/seed0")
    shutil.copytree(departing.runs[0], study / "variants/random_scan/seed0")
    for path, device, said in (
        (copy, None, "prepared data are missing"),
        (study, None, "found:    physics_mask, random_scan"),
        ([plain.runs[0], copy], None, "a seed twice"),
        ([plain.runs[0], departing.runs[0]], None, "tiny/physics_mask, tiny/random_scan"),
        (tmp_path / "nowhere", None, "no folder of results"),
        (plain.runs[0], "abacus", "the device cannot be used"),
    ):
        with pytest.raises(AirshedError, match=said):
            airshed.load(path, device)


def test_the_bias_of_a_patch_is_its_formula(
    plain: Laid, one: airshed.Forecaster, hours: xr.Dataset
) -> None:
    """From the store's fields, patch by patch and pair by pair, with the run's alpha."""
    static, size = open_static(plain.prepared.static).load(), plain.study.model.patch
    row, column = 1, 2
    corner = static.isel(y=slice(row * size, None), x=slice(column * size, None))
    place = [float(corner[name][:size, :size].mean()) for name in ("lat2d", "lon2d")]
    found = one.attention_bias(hours, *place, TIME)
    assert found["bias"].dims == ("init_time", "block", "head", "patch_row", "patch_column")
    assert (found.attrs["query_row"], found.attrs["query_column"]) == (row, column)
    rows, columns = found["elevation"].shape
    at = {"e": [], "s": []}
    inside = static["domain_mask"].values == 1
    assert not inside.all()
    for y in range(0, rows * size, size):
        for x in range(0, columns * size, size):
            cells = [(j, i) for j in range(y, y + size) for i in range(x, x + size)]
            winds = [hours[name].sel(time=TIME).values for name in ("u", "v")]
            speeds = [np.hypot(*(w[cell] for w in winds)) if inside[cell] else 0 for cell in cells]
            at["e"].append(np.mean([static["elevation"].values[cell] for cell in cells]))
            at["s"].append(np.mean(speeds))
    sample = {name: torch.tensor(np.array(values)) for name, values in at.items()}
    weights = load_checkpoint(plain.runs[1] / "checkpoints/best.ckpt")["state_dict"]
    learned = {"alpha": weights["blocks.0.attn.core.bias.alpha"]}
    assert learned["alpha"] != 0.2
    assert found["learned_alpha"].item() == learned["alpha"]
    expected = [
        plain_biases.barrier(learned, sample, 0, row * columns + column, key).item()
        for key in range(rows * columns)
    ]
    assert min(expected) < 0
    np.testing.assert_allclose(found["bias"].values.ravel(), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["wind_speed"].values.ravel(), at["s"], rtol=1e-4, atol=1e-4)
    both = airshed.load(plain.variant).attention_bias(hours.sel(time=TIME), *place)
    assert both["member"].values.tolist() == [0, 1]
    xr.testing.assert_equal(both["bias"].sel(member=1, drop=True), found["bias"])


def test_a_learned_table_gives_each_head_and_block_its_own_bias(plain: Laid) -> None:
    """And a row of it depends on nothing but how far the key lies from the query."""
    study = tiny_study(variants=["wind_baseline", "swin_bias"])
    network = build_network(study.for_variant("swin_bias"), "swin_bias", plain.prepared, 0)
    for core in network.cores:
        torch.nn.init.normal_(core.bias.position.table)
    x = torch.zeros(2, network.channels, *network.grid_size)
    given = [network], x, pd.DatetimeIndex([TIME, TIME + pd.Timedelta("1h")])
    static = open_static(plain.prepared.static)
    here, there = (bias_on_map(*given, query, static)["bias"] for query in ((1, 2), (2, 3)))
    assert (here.sizes["head"], here.sizes["block"]) == (2, 2)
    assert len(np.unique(here[0])) > here[0, 0, 0, 0].size
    np.testing.assert_array_equal(here[..., :-1, :-1], there[..., 1:, 1:])


def test_a_bias_that_is_not_there_cannot_be_looked_at(
    one: airshed.Forecaster, departing: Laid, hours: xr.Dataset
) -> None:
    with pytest.raises(AirshedError, match="off the study grid"):
        one.attention_bias(hours, -30, 0, TIME)
    with pytest.raises(AirshedError, match="no bias to look at"):
        airshed.load(departing.runs[0]).attention_bias(hours, 30, 105, TIME)
