"""The forecast archive: every forecast of an evaluation as one file with CF attributes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from airshed.errors import AirshedError
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Batch, Domain, State
from airshed.evaluation.forecast_file import ForecastFile, coordinates, field_attributes
from airshed.evaluation.scores import Subject
from airshed.integrity.atomic import flush


class ForecastArchive:
    """A scorer that archives the forecasts themselves and, if asked to, the observed fields.

    Its form is that of :class:`airshed.evaluation.forecast_file.ForecastFile`, NaN outside the
    domain and where there is no forecast; the observed fields are in ``<pollutant>_truth``.

    Memory: one chunk of every variable, 50 MB at 128 x 256 (twice that with the observed fields).
    """

    def __init__(
        self, path: Path, period: Period, domain: Domain, subject: Subject, with_observed: bool
    ) -> None:
        self._period, self._domain, self._count = period, domain, 1 + with_observed
        fields = {each.name: field_attributes(each) for each in period.targets}
        if with_observed:
            fields |= {
                f"{each.name}_truth": field_attributes(each, "observed") for each in period.targets
            }
        frame = coordinates(period.init_times, period.horizons_h, domain, subject)
        self._file = ForecastFile(path, frame, fields)
        self._chunk, shape = np.array(0), self._file.shape[1:]
        self._buffer = np.full(
            (len(fields), self._file.inits_a_chunk, *shape), np.nan, dtype=np.float32
        )
        self._created = False

    def add(self, batch: Batch) -> None:
        """Archive the forecasts of a batch; full chunks are written out."""
        self._create()
        fields = np.concatenate([batch.forecast, batch.observed][: self._count], axis=1)
        fields = np.where(self._domain.mask, fields, np.float32(np.nan))
        for init, horizon, field in zip(*self._period.places(batch.samples), fields, strict=True):
            chunk, row = divmod(int(init), self._file.inits_a_chunk)
            if chunk != self._chunk:
                self._write()
                self._chunk, self._buffer[:] = np.array(chunk), np.nan
            self._buffer[:, row, horizon] = field

    def state(self) -> State:
        """The chunk that is being filled; those before it are in the store, on the disk."""
        flush(self._file.partial)
        return {"chunk": self._chunk, "held": self._buffer}

    def restore(self, state: State) -> None:
        """Go on with the store that an interrupted evaluation left.

        Raises:
            AirshedError: That store is gone.
        """
        partial = self._file.partial
        if not partial.exists():
            raise AirshedError(
                "the unfinished forecast archive of an interrupted evaluation is gone",
                where=partial,
                hint="delete the savepoint beside the scores and evaluate again",
            )
        self._created = True
        self._chunk, self._buffer = np.array(state["chunk"]), np.array(state["held"])

    def publish(self) -> None:
        """Write the last chunk and give the complete store its name."""
        self._create()
        self._write()
        self._file.publish()

    def _write(self) -> None:
        start = int(self._chunk) * self._file.inits_a_chunk
        count = min(self._file.inits_a_chunk, len(self._period.init_times) - start)
        self._file.write(start, self._buffer[:, :count])

    def _create(self) -> None:
        if not self._created:
            self._created = True
            self._file.create()
