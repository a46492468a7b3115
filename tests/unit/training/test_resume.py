"""An interrupted training ends where an unbroken one does, bit by bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from airshed.config.training import TrainConfig
from airshed.errors import AirshedError
from airshed.training.checkpoints import BEST, LAST, Checkpoints, load_checkpoint, resumable
from airshed.training.history import History
from airshed.training.module import ForecastModule
from airshed.training.sampling import ResumableLoader
from airshed.training.trainer import build_trainer

SAMPLES, EPOCHS, BATCH, ACCUMULATE = 22, 3, 2, 2
STEPS = EPOCHS * 6  # 11 batches an epoch, two to a step
SETTINGS = TrainConfig(
    epochs=EPOCHS,
    batch_size=BATCH,
    accumulate=ACCUMULATE,
    learning_rate=0.01,
    warmup_steps=3,
    accelerator="cpu",
    log_every_steps=2,
)


class Noise(Dataset[dict[str, Tensor]]):
    """Samples that are drawn from their index."""

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(index)
        x = torch.randn(2, 4, 4, generator=generator)
        return {"x": x, "y": x.flip(0), "lead_hours": torch.tensor(12.0)}


class Network(nn.Module):
    """Anything with dropout and a bias strength."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Conv2d(2, 2, 3, padding=1)])
        self.blocks[0].alpha = nn.Parameter(torch.tensor(0.2))
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor, lead_hours: Tensor, out_variables: Any) -> Tensor:
        scaled: Tensor = self.drop(self.blocks[0](x)) * self.blocks[0].alpha
        return scaled


class KilledError(Exception):
    """What a test raises in place of a power cut."""


class KillAfter(pl.Callback):
    """Stops the process's work after so many batches, without any warning."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def on_train_batch_end(self, *_: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise KilledError


def fit(folder: Path, *extra: pl.Callback, identity: str = "a") -> tuple[ForecastModule, History]:
    """Train as ``airshed train`` does, saving after every step that may be saved."""
    torch.manual_seed(0)
    mask, rate = torch.ones(4, 4, dtype=torch.bool), SETTINGS.learning_rate
    module = ForecastModule(Network(), ("a", "b"), mask, SETTINGS, rate, 7, STEPS)
    history = History(SETTINGS.log_every_steps)
    checkpoints = Checkpoints(folder, 0.0, identity)
    trainer = build_trainer(SETTINGS, [history, checkpoints, *extra])
    trainer.fit(
        module,
        ResumableLoader(Noise(), BATCH, seed=7),
        DataLoader(Noise(), batch_size=BATCH),
        ckpt_path=resumable(folder, identity),
        weights_only=True,
    )
    return module, history


def outcome(module: ForecastModule, history: History, folder: Path) -> list[Any]:
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    best = load_checkpoint(folder / BEST)["state_dict"]
    rows = [dict(row) for row in history.rows]
    return [weights, best, rows, history.val_loss, len(history.step_seconds)]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("unbroken")
    return outcome(*fit(folder), folder)


@pytest.mark.parametrize("killed_at", [(1,), (5,), (10,), (11,), (12, 3), (22,), (16, 9, 5), (33,)])
def test_killed_and_resumed_equals_unbroken(
    tmp_path: Path, unbroken: list[Any], killed_at: tuple[int, ...]
) -> None:
    for batches in killed_at:
        with pytest.raises(KilledError):
            fit(tmp_path, KillAfter(batches))
    found = outcome(*fit(tmp_path), tmp_path)
    for part, expected in zip(found[:2], unbroken[:2], strict=True):
        assert part.keys() == expected.keys()
        assert all(torch.equal(part[name], expected[name]) for name in expected)
    assert found[2:] == unbroken[2:]


def test_a_finished_run_is_not_trained_again(tmp_path: Path, unbroken: list[Any]) -> None:
    fit(tmp_path)
    again = outcome(*fit(tmp_path, KillAfter(1)), tmp_path)  # one batch more would raise
    assert again[3:] == unbroken[3:]


def test_history_means_and_epochs(unbroken: list[Any]) -> None:
    rows, val_loss = unbroken[2], unbroken[3]
    assert [row["val_loss"] for row in rows if "val_loss" in row] == val_loss
    assert len(val_loss) == EPOCHS
    assert rows[-1]["step"] == STEPS == unbroken[4]
    assert all("alpha_block0" in row for row in rows)


def test_train_loss_in_the_history_is_the_mean_of_its_batches(tmp_path: Path) -> None:
    losses: list[float] = []

    class Collect(pl.Callback):
        def on_train_batch_end(
            self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            losses.append(trainer.callback_metrics["train_loss"].item())

    _, history = fit(tmp_path, Collect())
    noted, start = [], 0
    for row in history.rows:
        epoch, step = int(row["epoch"]), int(row["step"])
        stop = min(11 * epoch + (step - 6 * epoch) * ACCUMULATE, 11 * (epoch + 1))
        noted.append(sum(losses[start:stop]) / (stop - start))
        start = stop
    assert [row["train_loss"] for row in history.rows] == pytest.approx(noted, rel=1e-6)


def test_a_checkpoint_of_other_settings_is_not_continued(tmp_path: Path) -> None:
    fit(tmp_path, identity="a")
    assert resumable(tmp_path, "a") == tmp_path / LAST
    assert resumable(tmp_path, "b") is None


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    fit(tmp_path)
    last = tmp_path / LAST
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(AirshedError, match=r"last\.ckpt"):
        resumable(tmp_path, "a")


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    class Break(pl.Callback):
        def on_train_batch_start(
            self, trainer: Any, module: Any, batch: Any, batch_idx: int
        ) -> None:
            if batch_idx == 3:
                batch["x"].fill_(float("nan"))

    with pytest.raises(AirshedError, match="not finite"):
        fit(tmp_path, Break())
    assert (tmp_path / LAST).exists()
