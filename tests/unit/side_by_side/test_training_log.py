"""Logs as tqdm and Lightning write them, against what is known of the trainings behind them."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked import exit_code
from tqdm import tqdm

from airshed.errors import AirshedError
from airshed.side_by_side.log_lines import log_lines
from airshed.side_by_side.progress_bars import bars_in, is_validation
from airshed.side_by_side.training_log import MOST_POINTS, Thinned, read_log

VARIETIES = {
    "plain": (
        "Epoch 3:  45%|████▌     | 450/1000 [2:30:15<3:03:20, 40.01s/it, v_num=12,"
        " train_loss=0.123, val_loss=0.234]",
        (3, 450, 1000, 9015, {"v_num": 12, "train_loss": 0.123, "val_loss": 0.234}),
    ),
    "fast": ("Epoch 0: 100%|##########| 20/20 [00:03<00:00,  6.29it/s]", (0, 20, 20, 3, {})),
    "no bar, a launcher's prefix": (
        "[1,mpirank:0,algo-1]<stdout>:#015Epoch 0:  50% 1/2 [00:00<00:00,  6.54it/s, loss=2.29]",
        (0, 1, 2, 0, {"loss": 2.29}),
    ),
    "srun's prefix": (" 0: Epoch 1:  10%|# | 2/20 [00:10<01:30,  5.0s/it]", (1, 2, 20, 10, {})),
    "log entries around it": (
        "2021/08/16 14:12:11 | Epoch 0: 7%|8 | 5/74 [00:00<00:10, 6.76it/s, loss=1.11, v_num=N-35]",
        (0, 5, 74, 0, {"loss": 1.11}),
    ),
    "total not known": (
        "Epoch 0: |          | 2/? [00:36<00:00,  0.06it/s, v_num=0, train_loss=13.90]",
        (0, 2, None, 36, {"v_num": 0, "train_loss": 13.9}),
    ),
    "a stream": (
        "Epoch 0: : 129it [43:14, 20.11s/it, v_num=0, train_loss=0.162]",
        (0, 129, None, 2594, {"v_num": 0, "train_loss": 0.162}),
    ),
    "cut off in a number": (
        "Epoch 4:  16%|_| 4/25 [00:22<01:58,  0.18it/s, train_loss=0.733, val_loss=0.77",
        (4, 4, 25, 22, {"train_loss": 0.733}),
    ),
    "not finite": (
        "Epoch 0:  50%|5 | 1/2 [00:01<00:01,  1.0s/it, train_loss=nan.0, val_loss=nan]",
        (0, 1, 2, 1, {"val_loss": pytest.approx(float("nan"), nan_ok=True)}),
    ),
    "exponents": (
        "Epoch 0:  50%|5 | 1/2 [00:01<00:01, ?it/s, train_loss=4.14e-7, lr=1.5e-04]",
        (0, 1, 2, 1, {"train_loss": 4.14e-7, "lr": 1.5e-4}),
    ),
}


@pytest.mark.parametrize("variety", VARIETIES)
def test_bars_of_many_forms_are_read(variety: str) -> None:
    line, expected = VARIETIES[variety]
    (bar,) = bars_in(line)
    assert (bar.epoch, bar.step, bar.total, bar.elapsed_s, bar.metrics) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Validation DataLoader 0:  50%|5 | 10/20 [00:00<00:00, 505.44it/s]",
        "Sanity Checking DataLoader 0: 100%|# | 2/2 [00:00<00:00, 89.00it/s]",
        "Epoch 0, global step 25: 'val_loss' reached 0.77609 (best 0.77609), saving model",
        "Epoch 70/500:  14%|# | 70/500 [02:44<16:51,  2.35s/it]",
        "Epoch 1: loss 0.4",
    ],
)
def test_other_lines_are_no_bars_of_epochs(line: str) -> None:
    assert list(bars_in(line)) == []
    assert is_validation(line) == line.startswith("Validation")


def test_two_bars_on_one_line_are_both_read() -> None:
    one = "Epoch 0: 100%|#| 25/25 [01:54<00:00,  0.22it/s, val_loss=0.776]"
    line = f"{one}Epoch 0, global step 25: 'val_loss' reached 0.77609{one.replace('0:', '1:', 1)}"
    assert [bar.epoch for bar in bars_in(line)] == [0, 1]


def bars(
    epoch: int, seconds: Iterator[float], steps: int, loss: float, val: float | None
) -> Iterator[str]:
    """What tqdm writes for an epoch whose steps take so long; then a validation of 500 s."""
    elapsed = 0.0
    for step in range(1, steps + 1):
        elapsed += next(seconds)
        shown = f"train_loss={loss:.3g}" + ("" if val is None else f", val_loss={val:.3g}")
        yield tqdm.format_meter(step, steps, elapsed, prefix=f"Epoch {epoch}", postfix=shown)


def paces() -> Iterator[float]:
    """Ten slow steps, then five seconds each."""
    yield from [60.0] * 10
    while True:
        yield 5.0


def test_pace_and_losses_of_a_known_training(tmp_path: Path) -> None:
    """Validation takes 500 s in the middle of an epoch and is no training."""
    seconds, lines = paces(), []
    half = [*bars(0, seconds, 100, 0.5, None)]
    lines += half[:50]
    lines.append("Validation DataLoader 0:  50%|5 | 10/20 [04:10<04:10, 25.0s/it]")
    for step, line in enumerate(half[50:], start=51):
        elapsed = 10 * 60 + (step - 10) * 5 + 500
        shown = "train_loss=0.4, val_loss=0.6"
        assert f" {step}/100 " in line
        lines.append(tqdm.format_meter(step, 100, elapsed, prefix="Epoch 0", postfix=shown))
    lines += [*bars(1, seconds, 100, 0.3, 0.55)]
    path = tmp_path / "wind.out"
    path.write_text("\r".join(lines) + "\n", encoding="utf-8")
    log = read_log(path)
    assert log.starts == 1
    assert set(log.seconds_per_step.points) == {5.0}
    assert [(loss.epochs, loss.value) for loss in log.val.points] == [(0.51, 0.6), (1.01, 0.55)]
    assert log.best_val == log.final_val == log.val.points[1]
    assert log.final_train is not None
    assert (log.final_train.epochs, log.final_train.value) == (2.0, 0.3)
    assert len(log.train.points) == 200


def test_continued_trainings_and_lost_losses_are_counted(tmp_path: Path) -> None:
    """Killed in epoch 1, continued from its beginning; there the loss is lost and found again."""
    seconds = iter(lambda: 2.0, None)
    lines = [*bars(0, seconds, 40, 0.5, 0.6)]
    lines += [*bars(1, seconds, 40, 0.4, 0.6)][:20]
    lines += ["slurmstepd: error: *** STEP 12.0 CANCELLED DUE TO TIME LIMIT ***"]
    lines += [*bars(1, seconds, 40, 0.4, float("nan"))]
    lines += [*bars(2, seconds, 40, float("nan"), 0.7)]
    path = tmp_path / "physics.out"
    path.write_text("\n".join(lines), encoding="utf-8")
    log = read_log(path)
    assert log.starts == 2
    assert log.lost == {"training": 40, "validation": 1}
    assert log.best_val is not None
    assert log.best_val.value == 0.6
    assert log.final_val is not None
    assert (log.final_val.value, log.final_val.start) == (0.7, 1)
    assert set(log.seconds_per_step.points) == {2.0}


TRAINING = """
import json, sys, torch
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, TQDMProgressBar
from torch.utils.data import DataLoader, TensorDataset

told = {"train": [], "val": []}

class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        loss = (self.layer(batch[0]) ** 2).mean()
        self.log("train_loss", loss, prog_bar=True)
        told["train"].append(loss.item())
        return loss
    def validation_step(self, batch, index):
        self.log("val_loss", (self.layer(batch[0]) ** 2).mean(), prog_bar=True)
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.05)

class Tell(Callback):
    def on_validation_end(self, trainer, module):
        if not trainer.sanity_checking:
            told["val"].append(trainer.callback_metrics["val_loss"].item())

torch.manual_seed(0)
data = DataLoader(TensorDataset(torch.randn(24, 4)), batch_size=2)
pl.Trainer(max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
           val_check_interval=0.5, callbacks=[TQDMProgressBar(), Tell()]).fit(Line(), data, data)
json.dump(told, open(sys.argv[1], "w"))
"""


SAID_TO = """\
import sys
from forked import say_to
sys.argv[1:] = [{told!r}]
say_to({log!r}, {log!r})
"""


def test_a_log_that_lightning_wrote_tells_what_the_training_knew(tmp_path: Path) -> None:
    path, told_path = tmp_path / "train.out", tmp_path / "told.json"
    assert exit_code(SAID_TO.format(told=str(told_path), log=str(path)) + TRAINING) == 0
    told, log = json.loads(told_path.read_text()), read_log(path)
    assert log.starts == 1
    assert [loss.value for loss in log.val.points] == pytest.approx(told["val"], rel=0.006)
    assert [loss.epochs for loss in log.val.points] == [0.5, 1.0, 1.5, 2.0]
    assert [loss.value for loss in log.train.points] == pytest.approx(told["train"], rel=0.006)
    assert log.seconds_per_step.points == []  # it took less than a window


WRONG = {
    "empty": (b"", "a log is empty"),
    "binary": (b"Epoch 0: \0\0", "bytes that no text has"),
    "unrelated": (b"hello\nworld\n", "holds no progress of a training"),
    "rich bars": ("Epoch 1/1  ━━━━━ 20/20 0:00:03 • 0:00:00 6.4it/s".encode(), "RichProgressBar"),
    "no losses": (b"Epoch 0:  50%|# | 1/2 [00:01<00:01, 1.0s/it, v_num=3]", "found:    v_num"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_log_of_a_training_is_refused(case: str, tmp_path: Path) -> None:
    content, said = WRONG[case]
    path = tmp_path / "train.out"
    path.write_bytes(content)
    with pytest.raises(AirshedError, match=said) as refused:
        read_log(path)
    assert str(path) in str(refused.value)


def test_what_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.out"):
        with pytest.raises(AirshedError, match="a log cannot be read"):
            read_log(path)


def test_lines_end_at_carriage_returns_and_lose_escape_sequences(tmp_path: Path) -> None:
    path = tmp_path / "train.out"
    path.write_bytes(b"one\x1b[A\r\x1b[31mtwo\x1b[0m\n\r\nthree\xff")
    assert list(log_lines(path)) == ["one", "two", "three\ufffd"]


def test_a_huge_line_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "train.out"
    path.write_bytes(b"x" * 20_000_000 + b"\rEpoch 0:  50%|# | 1/2 [00:01<00:01, 1.0s/it, loss=2]")
    tracemalloc.start()
    log = read_log(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert log.bars == 1
    assert peak < 2_000_000


def test_a_long_sequence_is_thinned_evenly() -> None:
    thinned: Thinned[int] = Thinned()
    for number in range(10 * MOST_POINTS):
        thinned.add(number)
    gaps = {
        after - before for before, after in zip(thinned.points, thinned.points[1:], strict=False)
    }
    assert len(gaps) == 1
    assert MOST_POINTS / 2 <= len(thinned.points) <= MOST_POINTS
    assert thinned.points[0] == 0


def test_a_bar_that_another_text_cuts_off_keeps_what_is_complete(tmp_path: Path) -> None:
    """Two of three bars end in the text of a callback; a bar may also follow on the same line."""
    bar = "Epoch {}: 100%|##########| 50/50 [00:30<00:00,  1.67it/s, v_num=0, train_loss=0.{}00, "
    lines = [
        bar.format(0, 9) + "val_loss=0.800, val_acc=0.5]",
        bar.format(1, 8) + "val_loss=0.750, val_acMetric val_acc improved. New best score: 0.5",
        bar.format(2, 7) + "val_loss=0.700, val_loss=0.1 is the best, so far=0.2, ",
        bar.format(3, 6) + "val_loss=0.6" + bar.format(4, 5) + "val_loss=0.650]",
    ]
    path = tmp_path / "cut.out"
    path.write_text("GPU available: True\n" + "\n".join(lines) + "\n")
    log = read_log(path)
    assert [loss.value for loss in log.val.points] == [0.8, 0.75, 0.7, 0.65]
    assert [loss.value for loss in log.train.points] == [0.9, 0.8, 0.7, 0.6, 0.5]


@pytest.mark.parametrize("own_bar", [True, False])
def test_steps_of_validations_in_the_bar_of_the_epoch_are_no_training(
    own_bar: bool, tmp_path: Path
) -> None:
    """Lightning 1.x: 100 training steps of 4 s and 60 of validation of 1 s, in one bar."""
    lines, shown = [], "loss=1"
    for epoch in range(3):
        elapsed = 0
        for step in range(0, 161, 2):
            training = step <= 100
            elapsed += 8 if training else 2
            if training:
                shown = f"loss={1 / (epoch + 1 + step / 1000):.3g}"
            elif own_bar:
                lines.append(f"Validating: 10%|# | {step - 100}/60 [00:10<01:00, 1.0s/it]")
            if step == 160:
                shown += f", val_loss=0.{epoch + 1}"
            lines.append(
                tqdm.format_meter(step, 160, elapsed, prefix=f"Epoch {epoch}", postfix=shown)
            )
    path = tmp_path / "old.out"
    path.write_text("\r".join(lines) + "\n", encoding="utf-8")
    log = read_log(path)
    assert set(log.seconds_per_step.points) == {4.0}
    assert len(log.seconds_per_step.points) >= 20
    assert [loss.value for loss in log.val.points] == [0.1, 0.2, 0.3]


def test_bars_of_rich_are_refused_for_what_they_are(tmp_path: Path) -> None:
    """As a forced terminal has them: many, each over the one before."""
    bar = "\r\x1b[2KEpoch 0/1  \x1b[35m━━━━\x1b[0m {}/12 \x1b[2m0:00:00 • 0:00:01\x1b[0m 18.7it/s "
    path = tmp_path / "rich.out"
    path.write_text("".join(bar.format(n) + "train_loss: 0.5" for n in range(12)))
    with pytest.raises(AirshedError, match=r"RichProgressBar, whose form is not read(.|\n)*TQDM"):
        read_log(path)
