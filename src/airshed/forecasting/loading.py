"""Trained networks as a forecaster, from the folders that a study left."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from airshed.assembly import device_of
from airshed.config import Study, validate_study
from airshed.data.normalisation import Normaliser
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError, refusing
from airshed.evaluation.network import PhysicalNetwork, trained_network
from airshed.forecasting.forecaster import Forecaster, Member
from airshed.graph.places import Places
from airshed.side_by_side.runs import Trained, trained_in

Folder = str | PathLike[str]


Run = tuple[Path, dict[str, Any]]
"""A finished training: its folder, and ``run.json``."""


def load(path: Folder | Sequence[Folder], device: str | None = None) -> Forecaster:
    """Load trained networks to forecast with.

    Args:
        path: Folder of a run (``results/<study>/variants/<variant>/seed<k>``); or of a variant, or
            a list of runs of one variant: each seed is then a ``member``.
        device: Where they compute, as torch calls it (``cpu``, ``cuda``, ``cuda:1``); None: what
            the study says (``train.accelerator``).

    Raises:
        AirshedError: There is no finished run, several variants are meant, or what the networks
            need of the prepared data or the device is not there.
    """
    if isinstance(path, (str, PathLike)):
        folders, together = [Path(path)], not (Path(path) / "run.json").is_file()
    else:
        folders, together = [Path(one) for one in path], True
    trained = [_variant_in(folder) for folder in folders]
    runs, study, variant = _runs(trained), _study(trained[0]), trained[0].name
    where = device_named(device) if device is not None else None
    if where is not None:
        accelerator = "cpu" if where.type == "cpu" else "gpu"
        train = study.train.model_copy(update={"accelerator": accelerator})
        study = study.model_copy(update={"train": train})
    prepared = prepared_of(study, variant, runs[0][0])
    members = [_member(study, run, prepared, where) for run in runs]
    return Forecaster(study, variant, members, prepared, together)


def _variant_in(folder: Path) -> Trained:
    found = trained_in(folder)
    if len(found) > 1:
        raise AirshedError(
            "networks of several variants are no forecaster",
            where=folder,
            expected="the folder of one of them, or of one of its seeds",
            found=", ".join(found),
        )
    (trained,) = found.values()
    return trained


def _runs(trained: Sequence[Trained]) -> list[Run]:
    """The runs of all folders, which must be of one variant of one study."""
    names = list(dict.fromkeys(f"{each.study}/{each.name}" for each in trained))
    runs = [run for each in trained for run in zip(each.folders, each.records, strict=True)]
    twice = len({record["seed"] for _, record in runs}) < len(runs)
    if len(names) > 1 or twice:
        raise AirshedError(
            "these runs are no members of one forecast",
            where=", ".join(str(folder) for folder, _ in runs),
            expected="different seeds of one variant of one study",
            found="a seed twice" if len(names) == 1 else ", ".join(names),
        )
    return runs


def _study(trained: Trained) -> Study:
    where = f"{trained.folders[0] / 'run.json'}, config"
    return validate_study(trained.config, where).for_variant(trained.name)


def device_named(name: str) -> torch.device:
    """A device by torch's name of it.

    Raises:
        AirshedError: There is no such device here.
    """
    errors, what = (RuntimeError, AssertionError), "the device cannot be used"
    with refusing(*errors, what=what, where=name, expected="a device of torch, such as cpu, cuda"):
        device = torch.device(name)
        torch.empty(1, device=device)
    return device


def prepared_of(study: Study, variant: str, run: Path) -> Prepared:
    """What networks need beside their weights, from the folder of results that a run lies in.

    Raises:
        AirshedError: Some of it is not there.
    """
    folder = run.resolve()
    results = folder.parents[3] if len(folder.parents) > 3 else folder
    prepared = Places(study, results).prepared(variant)
    prepared.check_there(prepared.small_files(), run)
    return prepared


def _member(study: Study, run: Run, prepared: Prepared, device: torch.device | None) -> Member:
    folder, record = run
    network, reference = trained_network(study, folder / "run.json", prepared)
    normaliser = Normaliser.read(prepared.statistics, study.targets)
    network.to(device or device_of(study))
    physical = PhysicalNetwork(network, normaliser, study.evaluation.batch_size)
    return Member(record["seed"], record["checkpoint"]["sha256"], network, physical, reference)
