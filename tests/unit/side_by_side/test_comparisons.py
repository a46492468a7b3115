"""Runs, variants, studies and logs beside each other, as a user asks for them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from init_scores import scores, weather
from tqdm import tqdm
from typer.testing import CliRunner

import airshed
from airshed.cli import app
from airshed.comparison.study import Tables, write_comparisons
from airshed.comparison.table import ALL
from airshed.config import Study, dump_study
from airshed.errors import AirshedError
from airshed.evaluation.scores import write_scores
from airshed.integrity.formats import RUN, VERSION
from airshed.side_by_side.document import Document, sparkline, write
from airshed.side_by_side.log_comparison import compare_logs, overhead
from airshed.side_by_side.run_comparison import compare_runs
from airshed.side_by_side.training_log import read_log

WriteRun = Callable[..., Path]


def record(study: Study, variant: str, seed: int) -> dict[str, Any]:
    return {
        VERSION: RUN.version,
        "study": study.study,
        "variant": variant,
        "seed": seed,
        "data_source": "simulated",
        "val_loss": [0.5, 0.4],
        "best_val_loss": 0.4 + 0.01 * seed,
        "seconds_per_step": {"median": 0.2 if variant == "physics_mask" else 0.16}
        | {"p10": 0.1, "p90": 0.3},
        "peak_memory_mb": 700.0,
        "parameters": 1234567,
        "bias": {"parameters": {"blocks.0.alpha": 0.25} if variant == "physics_mask" else {}},
        "device": "CPU",
        "commit": "0123456789abcdef",
        "dirty": False,
        "config": study.model_dump(mode="json"),
    }


@pytest.fixture
def write_run(tmp_path: Path, tiny_study: Study) -> WriteRun:
    """Writes a finished run whose errors are ``factor`` times the usual ones."""

    def run(
        variant: str,
        seed: int = 0,
        factor: float = 1.0,
        study: Study = tiny_study,
        change: Callable[[xr.Dataset], Any] = lambda dataset: None,
    ) -> Path:
        folder = tmp_path / "results" / study.study / "variants" / variant / f"seed{seed}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(record(study, variant, seed)))
        noise = np.random.default_rng(seed).normal(size=weather().shape)
        made = scores(variant, seed, weather() * factor**2 * np.exp(0.05 * noise))
        change(made)
        write_scores(made.assign_attrs(study=study.study), folder / "scores.nc")
        return folder

    return run


def overall(table: pd.DataFrame) -> pd.Series:
    return table[table["pollutant"] == ALL].iloc[0]


def test_two_variants_compare_as_their_study_compares_them(
    write_run: WriteRun, tiny_study: Study, tmp_path: Path
) -> None:
    files = [
        write_run(variant, seed, factor) / "scores.nc"
        for variant, factor in (("wind_baseline", 1.0), ("physics_mask", 0.93))
        for seed in (0, 1)
    ]
    results = tmp_path / "results/tiny"
    write_comparisons(tiny_study, files, Tables.within(results))
    document = compare_runs(
        results / "variants/wind_baseline", results / "variants/physics_mask", None, None
    )
    expected = pd.read_csv(results / "comparisons.csv", dtype={"horizon_h": str})
    found = document.data["comparisons"].astype({"horizon_h": str}).replace("", np.nan)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6)
    assert "physics_mask changes RMSE by \u22127" in document.answers[0]
    assert document.answers[0].endswith("it helps, by at least the margin.")
    by_name = compare_runs(results, results, "wind_baseline", "physics_mask")
    assert by_name.answers == document.answers
    settings, cost = (section.table.rows for section in document.sections[1:])
    changed = {row[1] for row in settings}
    assert {"variant.bias.kind", "variant.bias.blocks"} <= changed
    assert all(name.startswith("variant.bias.") for name in changed)
    assert [row[5] for row in cost] == ["\u2013", "+25.0\u00a0%"]  # 0.20 s against 0.16 s
    _check_frames(results, tiny_study, document)


def _check_frames(results: Path, study: Study, document: Document) -> None:
    """In Python the same: what the command prints, and the study's tables."""
    variants = results / "variants"
    said = airshed.compare(str(variants / "wind_baseline"), variants / "physics_mask")
    assert (said.answers, said.limits) == (document.answers, document.limits)
    for section in document.sections:
        table = said.tables[section.title]
        assert [*table.columns] == section.table.header
        assert table.values.tolist() == section.table.rows
    with pytest.raises(AirshedError, match=r"found:    no config\.resolved\.yaml"):
        airshed.read_study(results)
    (results / "config.resolved.yaml").write_text(dump_study(study))
    read = airshed.read_study(results)
    pd.testing.assert_frame_equal(said.changes, read.comparisons, check_dtype=False, rtol=1e-6)
    assert said.changes["ci_low"].dtype == float
    assert read.config["study"] == study.study
    for (variant, seed), rows in read.scores.groupby(["variant", "seed"]):
        assert set(rows["pollutant"]) == set(study.targets)
        with xr.open_dataset(variants / f"{variant}/seed{seed}/scores.nc") as scored:
            rmse = rows[rows["metric"] == "rmse"].set_index(["pollutant", "horizon_h"])["value"]
            one = scored["rmse"].sel(pollutant="co", horizon_h=24).item()
            assert rmse["co", 24] == pytest.approx(one)
    runs = read.runs.set_index(["variant", "seed"])
    assert runs.loc[("physics_mask", 1), "best_val_loss"] == pytest.approx(0.41)
    assert runs.loc[("physics_mask", 1), "bias.blocks.0.alpha"] == 0.25
    assert Path(runs.loc[("physics_mask", 1), "path"]) == variants / "physics_mask/seed1"


def test_swapping_the_two_turns_the_verdict(write_run: WriteRun) -> None:
    one, other = write_run("wind_baseline"), write_run("physics_mask", factor=1.1)
    worse = overall(compare_runs(one, other, None, None).data["comparisons"])
    better = overall(compare_runs(other, one, None, None).data["comparisons"])
    assert (worse["verdict"], better["verdict"]) == ("hurts", "helps")
    ratio = (1 + worse["relative_rmse_change"]) * (1 + better["relative_rmse_change"])
    assert ratio == pytest.approx(1)


def test_one_seed_each_is_a_verdict_on_two_networks_alone(write_run: WriteRun) -> None:
    one, other = write_run("wind_baseline", 0), write_run("wind_baseline", 3, factor=0.9)
    document = compare_runs(one, other, None, None)
    assert overall(document.data["comparisons"])["verdict"] == "helps"
    assert document.limits[0].startswith("One seed each")
    names = "tiny/wind_baseline (seed 3)", "tiny/wind_baseline (seed 0)"
    assert document.sections[0].title == f"Change of RMSE: {names[0]} against {names[1]}"
    assert document.answers[0].startswith(f"{names[0]} changes RMSE")


def test_common_variants_of_two_studies_are_compared(
    write_run: WriteRun, tiny_study: Study, tmp_path: Path
) -> None:
    """The second study has other epochs, one variant less and one seed more."""
    longer = tiny_study.train.model_copy(update={"epochs": 9})
    second = tiny_study.model_copy(update={"study": "longer", "train": longer})
    write_run("wind_baseline")
    write_run("physics_mask")
    for seed in (0, 1):
        write_run("physics_mask", seed, 0.8, second)
    unfinished = tmp_path / "results/longer/variants/physics_mask/seed2"
    unfinished.mkdir()
    document = compare_runs(tmp_path / "results/tiny", tmp_path / "results/longer", None, None)
    row = overall(document.data["comparisons"])
    assert (row["variant"], row["reference"]) == ("longer/physics_mask", "tiny/physics_mask")
    assert (row["variant_seeds"], row["reference_seeds"]) == (2, 1)
    assert document.sections[1].table.rows == [["physics_mask", "train.epochs", "2", "9"]]
    assert any("seed2 is not finished" in limit for limit in document.limits)


def test_runs_on_other_data_are_refused_and_every_difference_is_named(
    write_run: WriteRun, tiny_study: Study
) -> None:
    data = tiny_study.dataset.model_copy(
        update={"grid": tiny_study.dataset.grid.model_copy(update={"rows": 16})}
    )
    test = tiny_study.splits.test.model_copy(update={"init_every_h": 6})
    splits = tiny_study.splits.model_copy(update={"test": test})
    other = tiny_study.model_copy(update={"study": "other", "dataset": data, "splits": splits})
    with pytest.raises(AirshedError, match="do not forecast the same") as refused:
        compare_runs(
            write_run("wind_baseline"), write_run("wind_baseline", study=other), None, None
        )
    for part in ("dataset.grid.rows: 8 and 16", "splits.test.init_every_h: 3 and 6"):
        assert part in str(refused.value)


def test_runs_scored_on_other_samples_are_refused(write_run: WriteRun) -> None:
    def lose_one(made: xr.Dataset) -> None:
        made["sums"][3, 1] = 0

    with pytest.raises(AirshedError, match="only one has the sample at"):
        compare_runs(
            write_run("wind_baseline"), write_run("physics_mask", change=lose_one), None, None
        )


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "cannot be read"), ('{"format_version": 1}', "lacks a part"), ("[]", "cannot be read")],
)
def test_a_record_that_is_none_is_refused(write_run: WriteRun, content: str, said: str) -> None:
    one, other = write_run("wind_baseline"), write_run("physics_mask")
    (other / "run.json").write_text(content)
    with pytest.raises(AirshedError, match=said) as refused:
        compare_runs(one, other, None, None)
    assert "physics_mask/seed0/run.json" in str(refused.value)


def test_a_run_without_scores_is_compared_in_what_it_has(write_run: WriteRun) -> None:
    one, other = write_run("wind_baseline"), write_run("physics_mask")
    (other / "scores.nc").unlink()
    document = compare_runs(one, other, None, None)
    assert document.answers == ["No scores to compare on both sides yet."]
    assert str(other) in " ".join(document.limits)
    assert document.sections[-1].table.rows[1][2] == "0.4000"


def test_what_cannot_be_found_is_explained(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run("wind_baseline")
    write_run("physics_mask")
    study = tmp_path / "results/tiny"
    waiting = tmp_path / "waiting"
    waiting.mkdir()
    (waiting / "progress.json").write_text("{}")
    for a, b, reference, variant, said in (
        (run, run, None, None, "one and the same folder"),
        (run, tmp_path / "nowhere", None, None, "no folder of results"),
        (run / "run.json", run, None, None, "--baseline wind.out"),
        (run, waiting, None, None, "1 unfinished"),
        (study, study, "wind_baseline", "swin", "one of physics_mask, wind_baseline"),
        (study, study, "wind_baseline", None, "which variant is meant is not clear"),
    ):
        with pytest.raises(AirshedError, match=said):
            compare_runs(a, b, reference, variant)
    with pytest.raises(AirshedError, match="no variant in common"):
        compare_runs(study, _renamed(study, tmp_path), None, None)


def _renamed(study: Path, folder: Path) -> Path:
    """The study with its variant under another name."""
    target = folder / "renamed/variants/topoflow/seed0"
    shutil.copytree(study / "variants/physics_mask/seed0", target)
    path = target / "run.json"
    path.write_text(path.read_text().replace('"variant": "physics_mask"', '"variant": "topoflow"'))
    return folder / "renamed"


def write_log(path: Path, pace_s: float, losses: list[float], lost: bool = False) -> Path:
    """A training of 50 steps an epoch, with a validation loss at the end of each."""
    lines, elapsed = [], 0.0
    for epoch, loss in enumerate(losses):
        for step in range(1, 51):
            elapsed = step * pace_s
            shown = f"train_loss={loss + 0.1:.3g}"
            shown += f", val_loss={losses[epoch - 1]:.3g}" if epoch else ""
            lines.append(
                tqdm.format_meter(step, 50, elapsed, prefix=f"Epoch {epoch}", postfix=shown)
            )
        shown = f"train_loss={'nan' if lost else f'{loss + 0.1:.3g}'}, val_loss={loss:.3g}"
        lines.append(tqdm.format_meter(50, 50, elapsed, prefix=f"Epoch {epoch}", postfix=shown))
    path.write_text("\r".join(lines), encoding="utf-8")
    return path


def test_two_logs_tell_losses_and_overhead(tmp_path: Path) -> None:
    wind = write_log(tmp_path / "wind.out", 40.0, [0.5, 0.4, 0.45])
    physics = write_log(tmp_path / "physics.out", 48.0, [0.5, 0.36])
    assert overhead(read_log(wind), read_log(physics)) == pytest.approx(0.2)
    document = compare_logs(wind, physics)
    rows = {row[0]: row[1:] for row in document.sections[0].table.rows}
    assert rows["final validation loss"] == [
        "0.45 (epoch 3)",
        "0.36 (epoch 2)",
        "\u221220.0\u00a0%",
    ]
    assert rows["lowest validation loss"][2] == "\u221210.0\u00a0%"
    assert rows["lowest within 2 epochs"][2] == "\u221210.0\u00a0%"
    assert rows["seconds per batch"] == ["40 (40 to 40)", "48 (48 to 48)", "+20.0\u00a0%"]
    assert "10.0\u00a0% lower" in document.answers[0]
    assert "no verdict" in document.answers[0]
    assert document.answers[1].startswith("A batch took 20.0\u00a0% longer")
    assert any("reached 3 epochs, the other 2" in limit for limit in document.limits)


def test_a_run_lies_beside_a_log_batches_against_batches(tmp_path: Path, tiny_study: Study) -> None:
    """2 nodes of 4 devices with 2 samples make batches of 16; four of them are a step of 64."""
    run = tmp_path / "seed0"
    run.mkdir()
    train = {"batch_size": 2, "global_batch_size": 64}
    pace = {"median": 8.0, "p10": 6.0, "p90": 12.0}
    own = {"nodes": 2, "devices": 4, "config": {"train": train}, "seconds_per_step": pace}
    content = record(tiny_study, "physics_mask", 0) | own | {"val_loss": [0.4]}
    (run / "run.json").write_text(json.dumps(content))
    history = {"step": [5, 10], "train_loss": [0.6, 0.5], "val_loss": [np.nan, 0.4]}
    pd.DataFrame(history).to_csv(run / "history.csv", index=False)
    log = write_log(tmp_path / "founding.out", 1.0, [0.5])
    rows = {row[0]: row[1:] for row in compare_logs(log, run).sections[0].table.rows}
    assert rows["batches"] == ["50", "40", ""]
    assert rows["seconds per batch"] == ["1 (1 to 1)", "2 (1.5 to 3)", "+100.0\u00a0%"]
    assert rows["lowest within 1 epochs"] == ["0.5 (epoch 1)", "0.4 (epoch 1)", "\u221220.0\u00a0%"]
    (run / "history.csv").unlink()
    with pytest.raises(AirshedError, match="no finished training"):
        compare_logs(log, run)


def test_a_difference_within_rounding_is_none(tmp_path: Path) -> None:
    wind = write_log(tmp_path / "wind.out", 1.0, [0.400])
    physics = write_log(tmp_path / "physics.out", 1.0, [0.399], lost=True)
    document = compare_logs(wind, physics)
    assert "equal within rounding" in document.answers[0]
    assert any("not finite" in limit for limit in document.limits)


def test_the_command_writes_a_page_with_escaped_names(tmp_path: Path) -> None:
    wind = write_log(tmp_path / "<b>wind.out", 1.0, [0.5, 0.4])
    physics = write_log(tmp_path / "physics.out", 1.0, [0.5, 0.3])
    output = tmp_path / "out"
    command = ["compare", "--baseline", str(wind), "--physics", str(physics)]
    for _ in range(2):  # the second time over the first
        done = CliRunner().invoke(app, [*command, "--output", str(output)])
        assert done.exit_code == 0, done.output
    assert "lowest validation loss" in done.output
    page = (output / "comparison.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;wind.out" in page
    for outside in ('src="http', 'href="http', "<script", "@import", "url("):
        assert outside not in page
    assert page.count("data:image/png;base64,") == 1
    assert "](./loss_curves.png)" in (output / "comparison.md").read_text(encoding="utf-8")
    curves = pd.read_csv(output / "loss_curves.csv")
    known = curves[(curves["run"] == "physics") & (curves["loss"] == "validation")]
    assert known["value"].tolist() == [0.5, 0.3]


def test_a_folder_that_holds_something_else_is_never_replaced(tmp_path: Path) -> None:
    wind = write_log(tmp_path / "wind.out", 1.0, [0.5])
    document = compare_logs(wind, write_log(tmp_path / "physics.out", 1.0, [0.4]))
    kept = tmp_path / "results"
    kept.mkdir()
    with pytest.raises(AirshedError, match="something other than a comparison"):
        write(document, kept)
    assert kept.is_dir()


@pytest.mark.parametrize(
    "arguments", [[], ["a"], ["--baseline", "a"], ["a", "b", "--physics", "c"]]
)
def test_one_thing_alone_is_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["compare", *arguments])
    assert isinstance(done.exception, AirshedError)
    assert "two things are needed" in str(done.exception)


def test_a_log_is_not_compared_with_itself(tmp_path: Path) -> None:
    wind = write_log(tmp_path / "wind.out", 1.0, [0.5])
    with pytest.raises(AirshedError, match="one and the same file"):
        compare_logs(wind, wind)


def test_a_sparkline_spans_from_the_lowest_to_the_highest() -> None:
    assert sparkline([3.0, 1.0, 2.0]) == "\u2588\u2581\u2585"
    assert sparkline([1.0]) == "\u2581"
    assert len(sparkline([float(value) for value in range(500)])) == 40
