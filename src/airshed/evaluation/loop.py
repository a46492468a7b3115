"""The loop of an evaluation: reading, forecasting and scoring side by side; it can be resumed."""

from __future__ import annotations

import logging
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from airshed.arrays import Floats
from airshed.config import Study
from airshed.evaluation.batch import Forecaster, Samples, Scorer
from airshed.evaluation.reading import SampleReader
from airshed.integrity.atomic import publish
from airshed.progress import progress_bar

Item = TypeVar("Item")
log = logging.getLogger(__name__)


class Savepoint:
    """What the scorers had gathered after some batch, in one file beside the result.

    Args:
        path: Where it lies; it is deleted when the evaluation is complete.
        identity: Says what is evaluated, on what, how. A savepoint of another identity is
            ignored.
        every_s: Seconds between two savings.
    """

    def __init__(self, path: Path, identity: str, every_s: float) -> None:
        self.path, self.identity, self.every_s = path, identity, every_s
        self._partial = path.with_name(f".{path.name}.partial")  # one, however often it is killed
        self._saved = time.monotonic()

    @classmethod
    def beside(cls, output: Path, identity: str, study: Study) -> Savepoint:
        """That of a result that goes to ``output``, as often as the study asks for."""
        path = output.with_name(f"{output.stem}.savepoint.npz")
        return cls(path, identity, 60 * study.jobs.checkpoint_every_min)

    def restore(self, scorers: Mapping[str, Scorer]) -> int:
        """Give each scorer its saved state; the number of batches that are done, 0 without one."""
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                arrays = dict(stored)
        except FileNotFoundError:
            return 0
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            log.warning("the savepoint %s cannot be read (%s): starting anew", self.path, error)
            return 0
        if str(arrays.pop("identity", "")) != self.identity:
            log.warning("the savepoint %s is of another evaluation: starting anew", self.path)
            return 0
        done = int(arrays.pop("batches"))
        for name, scorer in scorers.items():
            mark = f"{name}/"
            state = {key: value for key, value in arrays.items() if key.startswith(mark)}
            scorer.restore({key.removeprefix(mark): value for key, value in state.items()})
        log.info("continuing after %d batches, from %s", done, self.path)
        return done

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self._saved >= self.every_s

    def save(self, batches: int, scorers: Mapping[str, Scorer]) -> None:
        """Keep the state of the scorers after this many batches."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {
            f"{name}/{key}": value
            for name, scorer in scorers.items()
            for key, value in scorer.state().items()
        }
        with self._partial.open("wb") as stream:
            np.savez(stream, identity=self.identity, batches=batches, **arrays)
        publish(self._partial, self.path)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """Delete the file: the evaluation is complete."""
        self.path.unlink(missing_ok=True)
        self._partial.unlink(missing_ok=True)


def batches_of(samples: pd.DataFrame, batch_size: int) -> list[Samples]:
    """The samples cut into batches of whole init times, of ``batch_size`` samples if that is more.

    Args:
        samples: As :func:`airshed.data.samples.sample_index` gives them.
        batch_size: Samples in a batch; a single init time with more of them is one batch.
    """
    per_init = int(samples.groupby("init_time").size().max())
    number, _ = pd.factorize(samples["init_time"], sort=True)
    together = number // max(1, batch_size // per_init)
    return [Samples.of(rows) for _, rows in samples.groupby(together, sort=True)]


def score_forecasts(
    batches: Sequence[Samples],
    forecaster: Forecaster,
    reader: SampleReader,
    scorers: Mapping[str, Scorer],
    what: str,
    savepoint: Savepoint | None = None,
) -> None:
    """Forecast every batch and give it to every scorer.

    Forecasts are made in this thread; another one reads observed fields and scores meanwhile, one
    batch behind, so that at most three batches are in memory. Scorers see the batches in their
    order: results do not depend on the threads' timing.

    Args:
        batches: The samples of each batch, see :func:`batches_of`.
        forecaster: Makes the forecasts.
        reader: Reads the observed fields.
        scorers: By a name that is theirs alone; it marks their state in the savepoint.
        what: What the progress bar says.
        savepoint: Where to continue from, and what to keep for that; the caller removes it when the
            results are written.
    """
    done = savepoint.restore(scorers) if savepoint else 0
    remaining = batches[done:]

    def score(samples: Samples, forecast: Floats) -> None:
        batch = reader.batch(samples, forecast)
        for scorer in scorers.values():
            scorer.add(batch)

    with (
        progress_bar(what, len(batches), initial=done) as bar,
        ThreadPoolExecutor(1, thread_name_prefix="scoring") as pool,
    ):
        scored: Future[None] | None = None
        forecasts = forecaster(remaining)
        for number, pair in enumerate(zip(remaining, forecasts, strict=True), start=done):
            if scored:
                scored.result()
                if savepoint and savepoint.due():
                    savepoint.save(number, scorers)
            scored = pool.submit(score, *pair)
            bar.update()
        if scored:
            scored.result()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, each made in another thread while the one before it is in use."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
        coming = pool.submit(next, iterator, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, iterator, end)
            yield item  # type: ignore[misc]
