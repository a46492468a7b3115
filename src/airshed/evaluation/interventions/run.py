"""Scores of a trained run under each intervention of its study."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from airshed.assembly import build_geography
from airshed.config import Study
from airshed.config.interventions import Intervention
from airshed.data.dataset import ForecastDataset
from airshed.data.normalisation import Normaliser
from airshed.data.prepared import Prepared
from airshed.data.stores import open_static
from airshed.evaluation.evaluate import Evaluation, evaluate
from airshed.evaluation.interventions import scores_of
from airshed.evaluation.interventions.fields import ChangedFields
from airshed.evaluation.interventions.networks import intervened, strength_times
from airshed.evaluation.network import forecaster_of, trained_network
from airshed.evaluation.scores import Subject
from airshed.graph.identity import scores_identity
from airshed.graph.notes import Making, Note
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import SCORES, VERSION
from airshed.model.geography import Geography
from airshed.training.finished import read_run
from airshed.variables import STATIC

log = logging.getLogger(__name__)


def intervene(study: Study, run: Path, prepared: Prepared, climatology: Path, output: Path) -> None:
    """Score a trained run on the test split once for each intervention that it can notice.

    Scores of an intervention are complete when they lie in its folder: an interrupted run, or one
    with further interventions, makes those that are not there or not of these weights, data and
    settings.

    Raises:
        AirshedError: The checkpoint is missing, changed or does not fit, or data do not fit.
    """
    torch.set_num_threads(study.train.threads)
    record = read_run(run)
    names, weights = study.interventions_on(record["variant"]), record["checkpoint"]["sha256"]
    for name in names:
        path, alone = scores_of(output, name), _alone(study, name)
        wanted = scores_identity(alone, weights, prepared, climatology, None, "interventions")
        note = Note.beside(path)
        if path.is_file() and note is not None and note.identity == wanted:
            log.info("%s is there: %s", name, path)
            continue
        made = Making("interventions", alone, path, record["variant"])
        where = Evaluation(prepared.hourly, prepared.static, climatology, path)
        _score(alone.thinned(), name, run, prepared, where)
        made.done(wanted)
    content = {"variant": record["variant"], "seed": record["seed"], "interventions": names}
    write_json(output, {VERSION: SCORES.version} | content)


def _alone(study: Study, name: str) -> Study:
    """The study with one intervention: what its scores depend on."""
    made = study.interventions.model_copy(update={"apply": [name]})
    stanzas = {name: study.intervention_stanzas[name]}
    return study.model_copy(update={"interventions": made, "intervention_stanzas": stanzas})


def _score(study: Study, name: str, run: Path, prepared: Prepared, where: Evaluation) -> None:
    record, intervention = read_run(run), study.intervention_stanzas[name]
    variant, seed = record["variant"], record["seed"]
    network, reference = trained_network(study, run, prepared)
    samples = ForecastDataset.of(study, prepared, study.splits.test, study.loader.hold)
    given: ForecastDataset | ChangedFields = samples
    strength = nullcontext()
    if intervention.strength is not None:
        strength = strength_times(network, intervention.strength)  # type: ignore[assignment]
    else:
        given = changed_fields(study, intervention, prepared, samples, seed)
        met = intervention.affects(study.variant_stanzas[variant], study.inputs)
        as_it_is = build_geography(study, prepared)
        changed = changed_geography(study, prepared, given)
        intervened(network, intervention, met, as_it_is, changed)
    checksum = record["checkpoint"]["sha256"]
    subject = Subject.of(study, "intervention", name, seed, checksum)
    with strength:
        forecaster = forecaster_of(study, network, given, prepared, reference)
        evaluate(study, replace(subject, made_from=variant), forecaster, where)


def changed_fields(
    study: Study,
    intervention: Intervention,
    prepared: Prepared,
    samples: ForecastDataset,
    seed: int,
) -> ChangedFields:
    """The inputs of samples, changed; random numbers are the same for all variants with a seed."""

    def normaliser(names: Sequence[str]) -> Normaliser:
        return Normaliser.read(prepared.statistics, names)

    static = open_static(prepared.static)
    fields = {name: static[name].values[None] for name in STATIC if name in intervention.changed()}
    normalised = {
        name: torch.from_numpy(normaliser((name,)).forward(field)) for name, field in fields.items()
    }
    return ChangedFields(intervention, samples, study.inputs, normalised, normaliser, seed)


def changed_geography(study: Study, prepared: Prepared, changed: ChangedFields) -> Geography:
    """The geography with the terrain that has taken the place of the true one, if any has."""
    geography = build_geography(study, prepared)
    if "elevation" in changed.static:
        geography.elevation_m = _patch_means(
            changed.static["elevation"], prepared.statistics, study.model.patch
        )
    return geography


def _patch_means(elevation: Tensor, statistics: Path, patch: int) -> Tensor:
    """[N] mean of each patch in m, of normalised elevation [1, Y, X]."""
    physical = Normaliser.read(statistics, ("elevation",)).inverse(elevation.numpy())
    return avg_pool2d(torch.from_numpy(physical).float(), patch).flatten()
