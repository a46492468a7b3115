"""From prepared data to a scored run, in one process, checked against plain numpy."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial, partialmethod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from made_once import MadeOnce
from tiny_runs import tiny_study, trained

from airshed.assembly import build_geography, build_network, wind_to_earth, wind_to_grid
from airshed.config import Study, read_yaml, validate_study
from airshed.data.dataset import ForecastDataset
from airshed.data.hourly import computed_content
from airshed.data.prepared import Prepared
from airshed.data.stores import open_hourly, open_static, open_statistics
from airshed.errors import AirshedError
from airshed.evaluation.evaluate import Evaluation
from airshed.evaluation.network import evaluate_run
from airshed.evaluation.scores import read_scores
from airshed.graph.identity import DAYS, training_identity
from airshed.training import compilation
from airshed.training.checkpoints import load_checkpoint
from airshed.training.finished import trained_weights
from airshed.training.reuse import TrainingRequest, restore_record, take_over
from airshed.variables import INPUTS, TARGETS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def evaluation(prepared: Prepared, climatology: Path, tmp_path: Path) -> Evaluation:
    return Evaluation(prepared.hourly, prepared.static, climatology, tmp_path / "scores.nc")


def test_elevation_reaches_the_bias_in_metres(study: Study, prepared: Prepared) -> None:
    cells = open_static(prepared.static)["elevation"].values
    pooled = cells.reshape(4, 2, 8, 2).mean((1, 3)).ravel()
    geography = build_geography(study, prepared)
    np.testing.assert_allclose(geography.elevation_m.numpy(), pooled, rtol=1e-5)
    assert pooled.max() > 1000  # metres, neither km nor normalised
    bias = build_network(study, "physics_mask", prepared, 0).cores[0].bias
    assert bias is not None
    item = ForecastDataset(
        prepared.hourly,
        prepared.static,
        prepared.statistics,
        study.splits.test,
        [12],
        INPUTS,
        TARGETS,
    )[0]
    _, fields = geography(item.x[None])
    features = bias.features(fields)
    added = bias.tile(features, features)[0, 0]
    low, high = int(pooled.argmin()), int(pooled.argmax())
    rise_km = (pooled[high] - pooled[low]) / 1000
    assert -0.2 * 0.5 * rise_km <= added[low, high] <= -0.2 * 0.5 * 0.7 * rise_km
    assert added[high, low] == 0


def test_wind_reaches_scan_and_bias_in_metres_per_second(study: Study, prepared: Prepared) -> None:
    samples = ForecastDataset(
        prepared.hourly,
        prepared.static,
        prepared.statistics,
        study.splits.test,
        [12],
        INPUTS,
        TARGETS,
    )
    winds, fields = build_geography(study, prepared)(samples[5].x[None])
    hour = open_hourly(prepared.hourly).sel(time=samples.samples["init_time"][5])
    static = open_static(prepared.static)
    u, v = np.nan_to_num(hour["u"].values), np.nan_to_num(hour["v"].values)
    inside = static["domain_mask"].values
    east, north = static["column_east"].values, static["column_north"].values
    along = (u * east + v * north) * inside
    np.testing.assert_allclose(winds.grid_ms[0, 0].numpy(), along, atol=1e-4)
    np.testing.assert_allclose(winds.earth_ms[0, 0].numpy(), u * inside, atol=1e-4)
    np.testing.assert_allclose(winds.earth_ms[0, 1].numpy(), v * inside, atol=1e-4)
    speed = np.hypot(u, v) * inside
    pooled = speed.reshape(4, 2, 8, 2).mean((1, 3)).ravel()
    np.testing.assert_allclose(fields.wind_speed_ms[0].numpy(), pooled, rtol=5e-3, atol=1e-3)


def test_patches_lie_as_far_apart_as_the_simulated_cells(study: Study, prepared: Prepared) -> None:
    """10 x 20 cells of 200 km on 8 x 16, in patches of 2: 500 km, but for the map's scale."""
    geography = build_geography(study, prepared)
    np.testing.assert_allclose(geography.spacing_km, 250, rtol=0.05)
    np.testing.assert_allclose(geography.patch_grid().spacing_km, 500, rtol=0.05)


@pytest.mark.parametrize("step", [1, -1])
def test_wind_of_the_grid_frame_is_turned_only_where_rows_run_south(step: int) -> None:
    ones = np.ones((2, 3))
    values = {"column_east": ones, "column_north": 0 * ones, "row_east": 0 * ones}
    static = xr.Dataset(
        {name: (("y", "x"), field) for name, field in (values | {"row_north": step * ones}).items()}
    )
    for frame in ("grid", "earth"):
        matrix = wind_to_grid(static, frame)[:, :, 0, 0]
        assert torch.equal(matrix, torch.tensor([[1.0, 0.0], [0.0, float(step)]]))
        assert torch.equal(wind_to_earth(static, frame)[:, :, 0, 0], torch.eye(2))


def test_wind_of_a_turned_grid_is_turned_back_to_the_earth() -> None:
    """Columns run towards the north-east, rows towards the north-west."""
    half = np.full((2, 3), 0.5**0.5)
    axes = {"column_east": half, "column_north": half, "row_east": -half, "row_north": half}
    static = xr.Dataset({name: (("y", "x"), field) for name, field in axes.items()})
    along_columns = torch.tensor([2.0, 0.0])
    found = wind_to_earth(static, "grid")[:, :, 0, 0] @ along_columns
    torch.testing.assert_close(found, torch.tensor([2.0, 2.0]) * 0.5**0.5)


def test_scores_are_those_of_a_plain_loop(
    study: Study, prepared: Prepared, run: Path, evaluation: Evaluation
) -> None:
    evaluate_run(study, run, prepared, evaluation)
    scores = read_scores(evaluation.output)
    network = build_network(study, "physics_mask", prepared, 5)  # any weights, then loaded
    state = load_checkpoint(run.parent / "checkpoints/best.ckpt")["state_dict"]
    network.load_state_dict(state)
    network.eval()
    samples = ForecastDataset.of(study, prepared, study.splits.test)
    moments = open_statistics(prepared.statistics).sel(variable=list(TARGETS))
    mean, std = moments["mean"].values[:, None, None], moments["std"].values[:, None, None]
    hourly = open_hourly(prepared.hourly).load()
    inside = samples.mask.numpy()
    errors: dict[int, list[np.ndarray]] = {12: [], 24: []}
    for index, row in samples.samples.iterrows():
        item = samples[int(str(index))]
        with torch.no_grad():
            forecast = network(item.x[None], item.lead_hours[None], TARGETS)[0].numpy()
        valid = hourly.sel(time=row["init_time"] + np.timedelta64(row["horizon_h"], "h"))
        truth = np.stack([valid[name].values for name in TARGETS])
        errors[row["horizon_h"]].append((forecast * std + mean - truth)[:, inside])
    for horizon, parts in errors.items():
        error = np.stack(parts).astype(np.float64)
        found = scores.sel(horizon_h=horizon)
        np.testing.assert_allclose(found["rmse"], np.sqrt((error**2).mean((0, 2))), rtol=1e-4)
        np.testing.assert_allclose(found["mae"], np.abs(error).mean((0, 2)), rtol=1e-4)
        np.testing.assert_allclose(found["bias"], error.mean((0, 2)), rtol=1e-3, atol=1e-3)
    assert scores.attrs["samples"] == len(samples)


def test_the_record_says_what_was_trained(study: Study, run: Path) -> None:
    record = json.loads(run.read_text())
    assert (record["variant"], record["seed"]) == ("physics_mask", 1)
    assert record["best_val_loss"] == min(record["val_loss"])
    assert record["optimizer_steps"] == record["seconds_per_step"]["steps"] > 0
    assert record["peak_memory_mb"] > 50
    assert record["bias"]["blocks"] == [0]
    assert record["bias"]["parameters"]["blocks.0.alpha"] != pytest.approx(0.2, abs=1e-6)
    assert record["config"] == study.model_dump(mode="json")
    assert set(record["versions"]) >= {"torch", "pytorch-lightning", "python"}


@pytest.mark.parametrize(
    ("setting", "tolerance"),
    [
        ({"precision": "bf16-mixed"}, 1e-2),
        ({"recompute_blocks": True}, 0),
        ({"compile": "always"}, 1e-3),  # whose dropout draws differently
    ],
    ids=str,
)
def test_settings_of_speed_and_memory_keep_the_result(
    prepared: Prepared,
    run: Path,
    tmp_path: Path,
    setting: dict[str, object],
    tolerance: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # blocks are captured and differentiated; test_compilation has a compiler write them in C++
    captured = partialmethod(torch.nn.Module.compile, backend="aot_eager")
    monkeypatch.setattr(torch.nn.Module, "compile", captured)
    monkeypatch.setattr(compilation, "lacking_compiler", lambda device: None)
    study = tiny_study(train=setting)
    found = json.loads(trained(study, "physics_mask", 1, prepared, tmp_path).read_text())
    expected = json.loads(run.read_text())
    assert found["val_loss"] == pytest.approx(expected["val_loss"], rel=tolerance, abs=0)
    alpha, same = (it["bias"]["parameters"]["blocks.0.alpha"] for it in (found, expected))
    assert alpha == pytest.approx(same, rel=tolerance, abs=0)
    assert found["compiled"] == (setting == {"compile": "always"})


def test_what_does_not_shape_the_weights_does_not_discard_a_training(
    study: Study, prepared: Prepared
) -> None:
    def fingerprint(study: Study) -> str:
        return training_identity(study, "physics_mask", 1, prepared, None)

    stanzas = study.model_dump(mode="json")["variant_stanzas"]
    renamed = {"physics_mask": stanzas["physics_mask"] | {"label": "another"}}
    weaker = {"physics_mask": stanzas["physics_mask"] | {"learning_rate": 1e-9}}
    expected = fingerprint(study)
    assert fingerprint(tiny_study(variant_stanzas=stanzas | renamed)) == expected
    assert fingerprint(tiny_study(variant_stanzas=stanzas | weaker)) != expected
    for without in (
        {"log_every_steps": 7, "tensorboard": True, "timeout_min": 1.0},
        {"strategy": "fsdp", "workers": 3},
    ):
        assert fingerprint(tiny_study(train=without)) == expected
    for shaping in ({"weight_decay": 0.5}, {"global_batch_size": 4}, {"batch_size": 2}):
        assert fingerprint(tiny_study(train=shaping)) != expected


@pytest.fixture
def finished(study: Study, prepared: Prepared, run: Path, tmp_path: Path) -> TrainingRequest:
    """The training of ``run`` in a folder where Snakemake has removed its declared outputs."""
    folder = tmp_path / "seed1"
    shutil.copytree(run.parent, folder)
    paths = [folder / name for name in ("run.json", "history.csv")]
    for path in paths:
        path.unlink()
    return TrainingRequest(study, study, "physics_mask", 1, prepared, None, *paths)


def test_a_training_that_is_what_it_was_is_put_back_in_an_instant(
    finished: TrainingRequest, run: Path, tmp_path: Path
) -> None:
    """Another day of the test split is none of it; one of its own splits, or its seed, is."""
    data = tmp_path / "data"
    shutil.copytree(finished.prepared.hourly.parent, data)
    names = vars(finished.prepared).items()
    prepared = Prepared(**{name: path and data / path.name for name, path in names})
    noted = prepared.hourly / "present/zarr.json"
    content = json.loads(noted.read_text())
    days = content["attributes"][DAYS]
    assert len(days) == 12
    for day, same in (("2016-03-05", True), ("2016-03-04", False), ("2016-02-26", False)):
        changed = {"attributes": content["attributes"] | {DAYS: days | {day: "another"}}}
        noted.write_text(json.dumps(content | changed))
        assert restore_record(replace(finished, prepared=prepared)) == same
    for path, original in ((finished.run, run), (finished.history, run.parent / "history.csv")):
        assert path.read_bytes() == original.read_bytes()
        path.unlink()
    assert not restore_record(replace(finished, seed=2))
    assert not finished.run.exists()
    (finished.run.parent / "checkpoints/best.ckpt").write_text("damaged")
    with pytest.raises(AirshedError, match="best weights of a finished training are missing"):
        restore_record(finished)


def test_a_training_of_another_study_is_taken_over_if_it_is_the_same(
    finished: TrainingRequest, run: Path, tmp_path: Path
) -> None:
    there = tmp_path / "other/seed1"
    wanted = replace(finished, run=there / "run.json", history=there / "history.csv")
    whole = tiny_study(study="other")
    take_over(replace(wanted, whole=whole), run)
    found, origin = (json.loads(path.read_text()) for path in (wanted.run, run))
    assert (found["study"], found["taken_over"]["study"]) == ("other", "tiny")
    assert found["val_loss"] == origin["val_loss"]
    trained_weights(wanted.run)
    again = tmp_path / "third/seed1"
    take_over(replace(wanted, run=again / "run.json", history=again / "history.csv"), wanted.run)
    third = json.loads((again / "run.json").read_text())
    assert third["taken_over"] == found["taken_over"]  # who trained it, not who handed it on
    with pytest.raises(AirshedError, match="is not the one that is wanted"):
        take_over(replace(wanted, study=tiny_study(train={"epochs": 3})), run)


def test_the_checksums_of_days_are_those_of_what_is_stored(prepared: Prepared) -> None:
    noted = json.loads((prepared.hourly / "present/zarr.json").read_text())["attributes"][DAYS]
    assert computed_content(prepared.hourly) == noted
    assert len(set(noted.values())) == 12


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    study: Study, prepared: Prepared, run: Path, tmp_path: Path
) -> None:
    expected = load_checkpoint(run.parent / "checkpoints/last.ckpt")["network"]
    for seed, same in ((1, True), (0, False)):
        folder = tmp_path / str(seed)
        trained(study, "physics_mask", seed, prepared, folder)
        found = load_checkpoint(folder / "checkpoints/last.ckpt")["network"]
        name = "blocks.0.attn.qkv.weight"
        assert torch.equal(found[name], expected[name]) == same


def test_a_changed_or_missing_checkpoint_is_not_scored(
    study: Study, prepared: Prepared, run: Path, evaluation: Evaluation, tmp_path: Path
) -> None:
    copy = tmp_path / "run.json"
    copy.write_text(run.read_text())
    with pytest.raises(AirshedError, match="missing"):
        evaluate_run(study, copy, prepared, evaluation)
    (tmp_path / "checkpoints").mkdir()
    changed = bytearray((run.parent / "checkpoints/best.ckpt").read_bytes())
    changed[len(changed) // 2] ^= 1
    (tmp_path / "checkpoints/best.ckpt").write_bytes(changed)
    with pytest.raises(AirshedError, match="not the one"):
        evaluate_run(study, copy, prepared, evaluation)
    assert not (tmp_path / "scores.nc").exists()


VARIANTS = sorted(read_yaml(ROOT / "config/variants.yaml")["variant_stanzas"])


@pytest.fixture(scope="module")
def ablation() -> Study:
    """Every variant, two steps each."""
    return tiny_study(variants=VARIANTS, train={"epochs": 1})


@pytest.fixture(scope="module")
def baseline_run(ablation: Study, prepared: Prepared, made_once: MadeOnce) -> Path:
    make = partial(trained, ablation, "wind_baseline", 0, prepared)
    return made_once("baseline_run", make) / "run.json"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains(
    ablation: Study, prepared: Prepared, baseline_run: Path, variant: str, tmp_path: Path
) -> None:
    start = baseline_run if ablation.variant_stanzas[variant].start_from else None
    record = json.loads(trained(ablation, variant, 0, prepared, tmp_path, start).read_text())
    bias = ablation.variant_stanzas[variant].bias_stanza()
    blocks = [] if bias["kind"] == "none" else [0, 1] if bias["blocks"] == "all" else [0]
    assert record["bias"]["blocks"] == blocks
    paths = {"swin": {"windows"}, "wind_graph": {"wind graph"}, "advection_diffusion": set()}
    instead = paths.get(ablation.variant_stanzas[variant].backbone.kind, {"plain"})
    possible = {"dense", "plain"} if blocks else {"plain"} | instead
    assert instead - {"plain"} <= set(record["attention_path"]) <= possible
    assert np.isfinite(record["best_val_loss"])
    assert (record["initial_weights"] is None) == (start is None)


def test_finetuning_starts_from_the_trained_weights_of_the_same_seed(
    ablation: Study, prepared: Prepared, baseline_run: Path, tmp_path: Path
) -> None:
    run = trained(ablation, "physics_finetune", 0, prepared, tmp_path, baseline_run)
    started = json.loads(run.read_text())["initial_weights"]
    assert started["source"] == "wind_baseline, seed 0"
    assert started["kept"] == ["blocks.0.attn.core.bias.alpha"]
    before, after = trained_weights(baseline_run), trained_weights(run)
    moved = max((after[name] - value).abs().max().item() for name, value in before.items())
    rates = pd.read_csv(tmp_path / "history.csv")["lr"]
    assert 0 < rates.max() <= 5e-5
    steps = json.loads(run.read_text())["optimizer_steps"]
    assert 0 < moved <= 1.5 * 5e-5 * steps  # AdamW moves a weight by about its rate a step


def test_a_wrong_start_is_refused(
    ablation: Study, prepared: Prepared, baseline_run: Path, run: Path, tmp_path: Path
) -> None:
    wrong = [
        ("physics_finetune", 0, None, "the weights of wind_baseline"),
        ("physics_mask", 0, baseline_run, "no weights to start from"),
        ("physics_finetune", 1, baseline_run, "wind_baseline, seed 1"),
        ("physics_finetune", 1, run, "physics_mask, seed 1"),
    ]
    for variant, seed, start, message in wrong:
        with pytest.raises(AirshedError, match=message):
            trained(ablation, variant, seed, prepared, tmp_path, start)
        told = json.loads((tmp_path / "progress.json").read_text())
        assert told["state"] == "failed"
        assert message in told["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_a_variant_starts_from_a_climax_checkpoint(
    ablation: Study, prepared: Prepared, baseline_run: Path, tmp_path: Path
) -> None:
    """A checkpoint of other variables: pm25 comes first in it, and v is not in it."""
    weights = trained_weights(baseline_run)
    pick = [INPUTS.index("pm25"), INPUTS.index("u")]
    cells = weights["head.2.weight"].view(2, 2, len(INPUTS), -1)
    offsets = weights["head.2.bias"].view(2, 2, len(INPUTS))
    given = weights | {
        "token_embeds.proj_weights": weights["token_embeds.proj_weights"][pick],
        "token_embeds.proj_biases": weights["token_embeds.proj_biases"][pick],
        "var_embed": weights["var_embed"][:, pick],
        "head.2.weight": cells[:, :, pick].flatten(0, 2),
        "head.2.bias": offsets[:, :, pick].flatten(),
    }
    path = tmp_path / "climax.ckpt"
    torch.save({"state_dict": {f"net.{name}": value for name, value in given.items()}}, path)
    stanza = {"label": "x", "pretrained": {"checkpoint": str(path), "variables": ["pm25", "u"]}}
    study = validate_study(
        ablation.model_dump(mode="json")
        | {"variants": ["warm"], "variant_stanzas": {"warm": stanza}},
        "warm",
    )
    run = trained(study, "warm", 0, prepared, tmp_path / "run", path)
    started = json.loads(run.read_text())["initial_weights"]
    assert started["source"] == "climax.ckpt"
    assert "token_embeds.proj_weights[v]" in started["kept"]
    assert not [name for name in started["kept"] if "[pm25]" in name or name.startswith("blocks")]


def test_a_second_set_of_seeds_trains_the_same_model_anew(
    prepared: Prepared, tmp_path: Path
) -> None:
    again = {"label": "again", "scan": "wind", "reference": "wind_baseline", "seed_offset": 7}
    stanzas = read_yaml(ROOT / "config/variants.yaml")["variant_stanzas"]
    study = tiny_study(
        variants=["wind_baseline", "again"],
        variant_stanzas=stanzas | {"again": again},
        train=read_yaml(ROOT / "tests/helpers/tiny_study.yaml")["train"] | {"epochs": 1},
    )
    weights = {
        (variant, seed): trained_weights(
            trained(study, variant, seed, prepared, tmp_path / f"{variant}{seed}")
        )
        for variant, seed in (("again", 0), ("wind_baseline", 7), ("wind_baseline", 0))
    }
    for name, value in weights["again", 0].items():
        assert torch.equal(value, weights["wind_baseline", 7][name]), name
    name = "head.0.weight"
    assert not torch.equal(weights["again", 0][name], weights["wind_baseline", 0][name])
