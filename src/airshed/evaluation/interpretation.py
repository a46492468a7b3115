"""``interpretation.json``: does a trained network use its bias?

Four answers that do not depend on each other: where training took what the bias learns, what the
network loses when the strength is set to 0 or doubled, what it loses without the whole bias, and
how much attention the bias moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from airshed.assembly import build_network, device_of
from airshed.config import Study
from airshed.data.dataset import Batch, ForecastDataset, loader_options
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.evaluation.attention_mass import MovedMass
from airshed.evaluation.interventions.networks import strength_times, strengths
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import INTERPRETATION, VERSION
from airshed.integrity.provenance import code_commit
from airshed.model import Forecaster
from airshed.model.attention import PlainAttention
from airshed.progress import progress
from airshed.training.finished import read_run, trained
from airshed.training.learned import column, numbers
from airshed.training.record import biased_blocks

CHOICE_SEED = 0


def interpret(study: Study, run: Path, prepared: Prepared, output: Path) -> None:
    """Write ``interpretation.json`` of a trained run with a bias.

    Losses are masked mean squared errors on normalised targets, as in training, of the same
    samples of the test split in every setting; the weights are the best ones. Of a network that
    departs from a reference forecast these are the same numbers, by its departures.

    Raises:
        AirshedError: The run has no bias, or its checkpoint is missing or changed.
    """
    torch.set_num_threads(study.train.threads)
    record = read_run(run)
    variant, seed = record["variant"], record["seed"]
    bias = study.variant_stanzas[variant].bias
    if bias.kind == "none":
        raise AirshedError(
            "a variant without a bias has nothing to interpret",
            where=run,
            expected="a variant whose bias.kind is not 'none'",
            found=variant,
        )
    network = build_network(study, variant, prepared, seed)
    weights, reference = trained(run)
    network.load_state_dict(weights)
    network.to(device_of(study)).eval()
    everything = ForecastDataset.of(study, prepared, study.splits.test, "never", reference)
    samples = drawn(everything, study.interpretation.samples)
    watched = MovedMass(network, study.interpretation.queries)
    losses = setting_losses(study, network, samples, everything.mask, watched)
    moved, paths = watched.by_head(), learned_paths(network, bias, record, run)
    write_json(
        output,
        {
            VERSION: INTERPRETATION.version,
            "study": study.study,
            "variant": variant,
            "seed": seed,
            "data_source": study.dataset.data_source,
            "commit": code_commit().sha,
            "bias": {"kind": bias.kind, "blocks": biased_blocks(network)},
            "split": "test",
            "samples": {"used": len(samples), "of": len(everything)},
            "queries": {"used": len(watched.queries), "of": network.pos_embed.shape[1]},
            "alpha": paths.pop("alpha", {}),
            "other_parameters": paths,
            "loss": losses,
            "relative_loss_change": {
                name: loss / losses["as_trained"] - 1
                for name, loss in losses.items()
                if name != "as_trained"
            },
            "moved_attention_share": {
                "mean": float(np.mean(list(moved.values()))),
                "by_block_and_head": {str(block): shares for block, shares in moved.items()},
            },
        },
    )


def drawn(samples: ForecastDataset, count: int) -> Subset[Batch]:
    """At most ``count`` samples, drawn at random but always the same, in their order."""
    order = np.random.default_rng(CHOICE_SEED).permutation(len(samples))[:count]
    return Subset(samples, np.sort(order).tolist())


def changes_of_bias(network: Forecaster) -> dict[str, Callable[[], AbstractContextManager[None]]]:
    """The ways in which a trained bias is changed, by name."""
    settings: dict[str, Callable[[], AbstractContextManager[None]]] = {"as_trained": nullcontext}
    if strengths(network):
        settings["alpha_zero"] = lambda: strength_times(network, 0.0)
        settings["alpha_doubled"] = lambda: strength_times(network, 2.0)
    settings["bias_removed"] = lambda: bias_removed(network)
    return settings


@contextmanager
def bias_removed(network: Forecaster) -> Iterator[None]:
    """The network with plain attention in every block, inside the context."""
    attentions: list[Any] = [block.attn for block in network.blocks]
    trained: list[nn.Module] = [attention.core for attention in attentions]
    for attention in attentions:
        attention.core = PlainAttention()
    try:
        yield
    finally:
        for attention, core in zip(attentions, trained, strict=True):
            attention.core = core


def setting_losses(
    study: Study,
    network: Forecaster,
    samples: Subset[Batch],
    mask: Tensor,
    watched: MovedMass,
) -> dict[str, float]:
    """Mean squared error, over the known cells of all samples together, in each setting.

    Args:
        study: Gives the size of a batch.
        network: In evaluation mode, on its device.
        samples: What is forecast.
        mask: bool [Y, X], True inside the domain.
        watched: Notes what the bias moves while the network runs as trained.
    """
    settings = changes_of_bias(network)
    squared, counts = dict.fromkeys(settings, 0.0), 0
    size = study.evaluation.batch_size
    options = loader_options(study.loader, study.train.workers)
    loader = DataLoader(samples, batch_size=size, **options)
    batches = progress(loader, "interpretation", total=-(-len(samples) // size))
    device = network.pos_embed.device
    for batch in batches:
        x, y, lead_hours, init_hours = (values.to(device) for values in batch)
        known = mask.to(device) & y.isfinite()
        counts += int(known.sum())
        for name, changed in settings.items():
            watching = watched if name == "as_trained" else nullcontext()
            with torch.no_grad(), changed(), watching:
                error = network(x, lead_hours, study.targets, init_hours).double() - y
            squared[name] += float(torch.where(known, error, 0).square().sum())
    return {name: total / counts for name, total in squared.items()}


def learned_paths(
    network: Forecaster, bias: Any, record: dict[str, Any], run: Path
) -> dict[str, dict[str, dict[str, Any]]]:
    """Where each number that biases learn began, went and ended, by its name and block.

    The whole path is in ``history.csv``.
    """
    history, initial = pd.read_csv(run.parent / "history.csv"), record["bias"].get("initial", {})
    paths: dict[str, dict[str, dict[str, Any]]] = {}
    for name, value in numbers(network).items():
        path, (_, block, own) = history[column(name)], name.split(".", 2)
        paths.setdefault(own, {})[block] = {
            "initial": getattr(bias, f"{own}_init", initial.get(name)),
            "lowest": float(path.min()),
            "highest": float(path.max()),
            "final": float(path.iloc[-1]),
            "best_weights": value,
        }
    return paths
