"""Fields that are changed: what an intervention puts in the place of what was there.

Fields are normalised, as a network gets them. What is zero is physical zero; the mean is that of
the training split, 0 after normalisation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from airshed.config.interventions import Intervention
from airshed.data.dataset import Batch, ForecastDataset
from airshed.data.normalisation import Normaliser
from airshed.training.batches import mixed_seed

OTHERS = "other_times"
NOISE, PERMUTATION, TIMES = range(3)  # what random numbers are drawn for


class Given(NamedTuple):
    """What a change starts from.

    Attributes:
        fields: [B, F, Y, X], normalised.
        others: The same fields at other init times.
        normaliser: Of the fields.
        permutation: [cells], where each cell of the domain takes its value from.
        inside: bool [Y, X], True inside the domain.
        seeds: A seed of random numbers for each of the B samples.
    """

    fields: Tensor
    others: Tensor
    normaliser: Normaliser
    permutation: Tensor
    inside: Tensor
    seeds: Sequence[int]


def _zero(given: Given) -> Tensor:
    shape = given.fields.shape[1:]
    return torch.from_numpy(given.normaliser.forward(np.zeros(shape))).expand_as(given.fields)


def _permuted(given: Given) -> Tensor:
    changed = given.fields.clone()
    changed[..., given.inside] = given.fields[..., given.inside][..., given.permutation]
    return changed


def _reversed(given: Given) -> Tensor:
    physical = given.normaliser.inverse(given.fields.numpy())
    return torch.from_numpy(given.normaliser.forward(-physical))


def _noise(given: Given) -> Tensor:
    """Of the field's own mean and variance over the training split."""
    drawn = [
        torch.randn(given.fields.shape[1:], generator=torch.Generator().manual_seed(seed))
        for seed in given.seeds
    ]
    return torch.stack(drawn)


CHANGES: Mapping[str, Callable[[Given], Tensor]] = {
    "zero": _zero,
    "mean": lambda given: torch.zeros_like(given.fields),
    "permuted": _permuted,
    "other_times": lambda given: given.others,
    "reversed": _reversed,
    "noise": _noise,
}
"""What takes the place of fields, by the name of the change in the configuration."""


class ChangedFields:
    """The inputs of samples as they are, and after them as they are changed.

    Args:
        intervention: What is changed.
        samples: Gives the inputs.
        inputs: Names of the inputs, in their order.
        static: Normalised static fields [1, Y, X], those that are changed, by name.
        normaliser: Normalises some fields.
        seed: Of what is drawn at random: one permutation of the cells, one order of the init times.

    Attributes:
        static: What has taken the place of static fields, [1, Y, X].
    """

    def __init__(
        self,
        intervention: Intervention,
        samples: ForecastDataset,
        inputs: Sequence[str],
        static: Mapping[str, Tensor],
        normaliser: Callable[[Sequence[str]], Normaliser],
        seed: int,
    ) -> None:
        self._samples, self._seed = samples, seed
        self._inside, self._intervention = samples.mask, intervention
        drawn = np.random.default_rng((seed, PERMUTATION)).permutation(int(self._inside.sum()))
        self._permutation = torch.from_numpy(drawn)
        self._hourly = [name for name in intervention.changed() if name not in static]
        self._channels = [inputs.index(name) for name in self._hourly]
        self._of_hourly = normaliser(self._hourly)
        self.static = {
            name: self._changed(normaliser([name]), field[None], field[None], [0])[0]
            for name, field in static.items()
        }
        self._places = {inputs.index(name): name for name in static if name in inputs}
        self._other = _other_times(samples, seed)

    def _changed(
        self, normaliser: Normaliser, fields: Tensor, others: Tensor, seeds: Sequence[int]
    ) -> Tensor:
        mixed = [mixed_seed(self._seed, NOISE, seed) for seed in seeds]
        given = Given(fields, others, normaliser, self._permutation, self._inside, mixed)
        return CHANGES[str(self._intervention.change)](given)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Samples whose inputs are [B, 2 V, Y, X]: V as they are, and V with what is changed."""
        batch = self._samples.__getitems__(indices)
        changed = batch.x.clone()
        if self._hourly:
            others = batch.x
            if self._intervention.change == OTHERS:
                others = self._samples.__getitems__(self._other[list(indices)].tolist()).x
            fields, others = (x[:, self._channels] for x in (batch.x, others))
            new = self._changed(self._of_hourly, fields, others, batch.init_hours.tolist())
            changed[:, self._channels] = torch.where(self._inside, new, 0)
        for place, name in self._places.items():
            changed[:, place] = torch.where(self._inside, self.static[name][0], 0)
        return batch._replace(x=torch.cat([batch.x, changed], 1))


def _other_times(samples: ForecastDataset, seed: int) -> npt.NDArray[np.int64]:
    """For each sample the number of one at another init time: all follow each other in a ring."""
    table = samples.samples
    first = table.reset_index().groupby("input_index")["index"].first()
    ring = np.random.default_rng((seed, TIMES)).permutation(len(first))
    other = np.empty(len(first), dtype=np.int64)
    other[ring] = first.to_numpy()[np.roll(ring, 1)]
    found: npt.NDArray[np.int64] = other[first.index.get_indexer(pd.Index(table["input_index"]))]
    return found
