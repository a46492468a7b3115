"""Forecasts of a trained network with its best weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from airshed.arrays import Floats
from airshed.assembly import build_network, device_of
from airshed.config import Study
from airshed.data.dataset import ForecastDataset, Readable
from airshed.data.normalisation import Normaliser
from airshed.data.prepared import Prepared
from airshed.data.reference import Reference
from airshed.data.stores import open_hourly
from airshed.errors import refusing
from airshed.evaluation.batch import Samples
from airshed.evaluation.evaluate import Evaluation, evaluate
from airshed.evaluation.loop import ahead
from airshed.evaluation.reading import at_samples
from airshed.evaluation.scores import Subject
from airshed.model import Forecaster
from airshed.training.finished import read_run, trained

Inputs = tuple[Tensor, Tensor, Tensor, Tensor]
Given = tuple[Inputs, Floats | None]


def evaluate_run(study: Study, run: Path, prepared: Prepared, evaluation: Evaluation) -> None:
    """Score a trained run on the test split at each horizon, in physical units.

    Raises:
        AirshedError: The checkpoint is missing, changed or does not fit, or data do not fit.
    """
    torch.set_num_threads(study.train.threads)
    record, (network, reference) = read_run(run), trained_network(study, run, prepared)
    samples = ForecastDataset.of(study, prepared, study.splits.test, study.loader.hold)
    forecaster = forecaster_of(study, network, samples, prepared, reference)
    checksum = record["checkpoint"]["sha256"]
    subject = Subject.of(study, "variant", record["variant"], record["seed"], checksum)
    evaluate(study, subject, forecaster, evaluation)


def trained_network(
    study: Study, run: Path, prepared: Prepared
) -> tuple[Forecaster, Reference | None]:
    """The network of a run with its best weights, and the forecast that it departs from, if any."""
    record, (weights, reference) = read_run(run), trained(run)
    of = study, record["variant"], prepared, record["seed"]
    network = build_network(*of, dtype=torch.float32)  # forecasts are made in float32
    what, hint = "the checkpoint does not fit the network", "train this run again"
    with refusing(RuntimeError, what=what, where=run, hint=hint, found=str):
        network.load_state_dict(weights)
    return network, reference


def forecaster_of(
    study: Study,
    network: Forecaster,
    samples: Readable,
    prepared: Prepared,
    reference: Reference | None,
) -> NetworkForecaster:
    """Forecasts of a study's network for samples of its test split."""
    departs_from = None
    if reference is not None:
        hourly = open_hourly(prepared.hourly, None, study.targets)
        departs_from = at_samples(reference, hourly, study.targets)
    return NetworkForecaster(
        network.to(device_of(study)),
        samples,
        Normaliser.read(prepared.statistics, study.targets),
        study.evaluation.batch_size,
        departs_from,
    )


class PhysicalNetwork:
    """A network whose forecasts are in physical units.

    Args:
        network: On its device, with its weights.
        normaliser: Of the targets, which it names.
        batch_size: Samples in a forward pass.
    """

    def __init__(self, network: nn.Module, normaliser: Normaliser, batch_size: int) -> None:
        self._network, self._normaliser = network.eval(), normaliser
        self._batch_size, self._device = batch_size, next(network.parameters()).device

    def forecast(self, given: Given) -> npt.NDArray[np.float32]:
        """Forecasts [B, T, Y, X] in physical units.

        Args:
            given: What :meth:`forward` takes, and the forecast [B, T, Y, X] that the network
                departs from, in physical units; None: it predicts fields.
        """
        inputs, reference = given
        normalised = self.forward(*inputs)
        if reference is None:
            return self._normaliser.inverse(normalised).astype(np.float32)
        return self._normaliser.departed(reference, normalised).astype(np.float32)

    def forward(
        self, x: Tensor, init_hours: Tensor, init: Tensor, lead_hours: Tensor
    ) -> npt.NDArray[np.float32]:
        """Normalised forecasts [B, T, Y, X].

        Args:
            x: Inputs [I, V, Y, X] of init times.
            init_hours: [I] int64, hours since 1970.
            init: [B], which of the init times each sample has.
            lead_hours: [B], horizons, h.
        """
        x, init_hours, size = x.to(self._device), init_hours.to(self._device), self._batch_size
        parts = []
        with torch.inference_mode():
            for start in range(0, len(init), size):
                here = slice(start, start + size)
                which, hours = (each[here].to(self._device) for each in (init, lead_hours))
                of = x[which], hours, self._normaliser.names, init_hours[which]
                parts.append(self._network(*of).float().cpu())
        forecasts: npt.NDArray[np.float32] = torch.cat(parts).numpy()
        return forecasts


class NetworkForecaster(PhysicalNetwork):
    """Forecasts of a network for samples; the inputs of the next batch are read while it works.

    The input of an init time is read once for all its horizons.

    Args:
        network: As for :class:`PhysicalNetwork`.
        samples: Gives the inputs; the samples to be forecast are numbered as it numbers them.
        normaliser: As for :class:`PhysicalNetwork`.
        batch_size: As for :class:`PhysicalNetwork`.
        reference: The forecast [B, T, Y, X] that the network departs from, in physical units; None:
            it predicts fields.
    """

    def __init__(
        self,
        network: nn.Module,
        samples: Readable,
        normaliser: Normaliser,
        batch_size: int,
        reference: Callable[[Samples], Floats] | None = None,
    ) -> None:
        super().__init__(network, normaliser, batch_size)
        self._samples, self._reference = samples, reference

    def __call__(self, batches: Iterable[Samples]) -> Iterator[npt.NDArray[np.float32]]:
        """Forecasts [B, T, Y, X] of each batch, in physical units."""
        yield from map(self.forecast, ahead(map(self.read, batches)))

    def read(self, samples: Samples) -> Given:
        """Inputs of the network, and what it departs from."""
        return self.inputs(samples), None if self._reference is None else self._reference(samples)

    def inputs(self, samples: Samples) -> Inputs:
        """Inputs [I, V, Y, X] and hours [I] of init times; each sample's init time and horizon."""
        _, firsts, number = np.unique(samples.input_index, return_index=True, return_inverse=True)
        read = self._samples.__getitems__(samples.numbers[firsts].tolist())
        lead_hours = samples.horizons_h.astype(np.float32)
        return read.x, read.init_hours, torch.from_numpy(number), torch.from_numpy(lead_hours)
