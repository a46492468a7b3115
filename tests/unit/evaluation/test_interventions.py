"""Interventions: what is changed, where a network meets it, and that nothing else moves."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from airshed.assembly import build_geography, build_network
from airshed.config import Study, read_yaml, validate_study
from airshed.config.interventions import Intervention
from airshed.data.dataset import ForecastDataset
from airshed.data.normalisation import Normaliser
from airshed.data.prepared import Prepared
from airshed.data.stores import open_patch_elevation, open_static
from airshed.evaluation.interventions import scores_of
from airshed.evaluation.interventions.fields import ChangedFields
from airshed.evaluation.interventions.networks import intervened, strength_times
from airshed.evaluation.interventions.run import changed_fields, changed_geography, intervene
from airshed.evaluation.scores import read_scores
from airshed.graph.settings import chosen
from airshed.graph.views import view
from airshed.model.scan import RasterScan
from airshed.training.finished import read_run
from airshed.variables import INPUTS

STANZAS = read_yaml(Path(__file__).resolve().parents[3] / "config/variants.yaml")
SIX = ("no_elevation", "permuted_elevation", "no_wind", "reversed_wind", "other_times_wind")
SIX += ("no_population",)
HOURLY = [name for name in INPUTS if name not in ("lat2d", "lon2d", "elevation", "population")]


def stanza(name: str, **changes: Any) -> Intervention:
    return Intervention(**STANZAS["intervention_stanzas"][name] | changes)


@pytest.fixture(scope="module")
def samples(study: Study, prepared: Prepared) -> ForecastDataset:
    return ForecastDataset.of(study, prepared, study.splits.test, hold="never")


@pytest.fixture(scope="module")
def made(study: Study, prepared: Prepared, samples: ForecastDataset) -> Any:
    @cache
    def of(name: str, seed: int = 3) -> ChangedFields:
        return changed_fields(study, stanza(name), prepared, samples, seed)

    return of


def physical(prepared: Prepared, x: torch.Tensor, name: str) -> Any:
    return Normaliser.read(prepared.statistics, [name]).inverse(x[:, None].numpy())[:, 0]


@pytest.mark.parametrize(
    ("name", "fields"),
    [(name, ("u", "v") if "wind" in name else (name.split("_")[1],)) for name in SIX],
)
def test_what_is_named_is_changed_inside_the_domain_and_nothing_else(
    made: Any, samples: ForecastDataset, name: str, fields: tuple[str, ...]
) -> None:
    numbers = [0, 5, 9]
    before, after = samples.__getitems__(numbers), made(name).__getitems__(numbers)
    as_it_is, changed = after.x.chunk(2, dim=1)
    assert torch.equal(as_it_is, before.x)
    for place, each in enumerate(INPUTS):
        same = torch.equal(changed[:, place], before.x[:, place])
        assert same == (each not in fields), each
    assert (changed[:, :, ~samples.mask] == 0).all()
    assert torch.equal(after.init_hours, before.init_hours)
    again = made(name).__getitems__(numbers[1:])
    assert torch.equal(again.x, after.x[1:])


def test_zero_is_physical_zero_and_reversed_wind_is_minus_the_wind(
    made: Any, samples: ForecastDataset, prepared: Prepared
) -> None:
    before, inside = samples.__getitems__([0, 9]).x, samples.mask.numpy()
    for name, field in (("no_elevation", "elevation"), ("no_wind", "u"), ("no_population", None)):
        place = INPUTS.index(field or "population")
        found = physical(prepared, made(name).__getitems__([0, 9]).x[:, 15 + place], INPUTS[place])
        scale = Normaliser.read(prepared.statistics, [INPUTS[place]]).std[0]
        assert np.abs(found[:, inside]).max() < 1e-5 * scale
    turned = made("reversed_wind").__getitems__([0, 9]).x[:, 15:]
    for place in (0, 1):
        was, now = (physical(prepared, x[:, place], INPUTS[place]) for x in (before, turned))
        np.testing.assert_allclose(now[:, inside], -was[:, inside], atol=1e-4)


def test_a_permutation_leaves_the_distribution_and_is_one_for_each_seed(
    made: Any, study: Study, prepared: Prepared, samples: ForecastDataset
) -> None:
    place, inside = 15 + INPUTS.index("elevation"), samples.mask
    true = samples.__getitems__([0]).x[0, place - 15][inside]
    found = [made("permuted_elevation", seed).__getitems__([0, 9]).x[:, place] for seed in (3, 4)]
    for each in found:
        assert torch.equal(each[0], each[1])
        assert torch.equal(each[0][inside].sort().values, true.sort().values)
        assert not torch.equal(each[0][inside], true)
    assert not torch.equal(found[0], found[1])
    places = [0, 1, INPUTS.index("lat2d"), INPUTS.index("lon2d")]
    together = Intervention(label="x", fields=("wind", "lat2d", "lon2d"), change="permuted")
    permuted = changed_fields(study, together, prepared, samples, 3).__getitems__([0, 9]).x
    true, new = (half[:, places][..., inside] for half in permuted.chunk(2, dim=1))
    where = (new[0, 2:, :, None] == true[0, 2:, None]).all(0)  # positions tell whose place it is
    assert where.sum(0).tolist() == where.sum(1).tolist() == [1] * int(inside.sum())
    assert torch.equal(new, true[..., where.float().argmax(1)])


def test_the_wind_of_other_times_is_some_other_init_time_each_once(
    made: Any, samples: ForecastDataset
) -> None:
    table = samples.samples.drop_duplicates("input_index")
    x = made("other_times_wind").__getitems__(table.index.tolist()).x
    true, new = (half[:, :2].flatten(1) for half in x.chunk(2, dim=1))
    taken = torch.stack([(true == each).all(1) for each in new])
    assert taken.sum(0).tolist() == taken.sum(1).tolist() == [1] * len(table)
    assert not taken.diagonal().any()


def test_changed_terrain_reaches_the_patches(
    made: Any, study: Study, prepared: Prepared, samples: ForecastDataset
) -> None:
    stored = open_patch_elevation(prepared.patch_elevation)["elevation_m"].values.ravel()
    flat = changed_geography(study, prepared, made("no_elevation"))
    assert flat.elevation_m.abs().max() < 1e-2
    same = changed_geography(study, prepared, made("no_wind"))
    np.testing.assert_array_equal(same.elevation_m, stored.astype(np.float32))
    permuted = changed_geography(study, prepared, made("permuted_elevation")).elevation_m
    inside, patch = samples.mask.numpy(), study.model.patch
    cells = open_static(prepared.static)["elevation"].values.copy()
    place = INPUTS.index("elevation")
    field = made("permuted_elevation").__getitems__([0]).x[:, 15 + place]
    cells[inside] = physical(prepared, field, "elevation")[0][inside]
    rows, columns = study.patch_grid
    means = cells.reshape(rows, patch, columns, patch).mean((1, 3)).ravel()
    np.testing.assert_allclose(permuted.numpy(), means, rtol=1e-4, atol=1e-2)


VARIANTS = {
    "plain": {"scan": "raster"},
    "ordered": {"scan": "wind"},
    "biased": {"scan": "raster", "bias": {"kind": "barrier", "alpha_init": 5.0}},
    "graph": {"scan": "raster", "backbone": {"kind": "wind_graph", "blocks": [0]}},
    "blind": {"scan": "raster", "without": ["wind", "elevation", "population"]},
    "guided": {
        "scan": "wind",
        "bias": {"kind": "topoflow"},
        "without": ["wind", "elevation", "population"],
    },
}


@pytest.fixture(scope="module")
def several(study: Study) -> Study:
    values = study.model_dump(mode="json")
    values["variants"] = list(VARIANTS)
    values["variant_stanzas"] = {name: {"label": name, **each} for name, each in VARIANTS.items()}
    return validate_study(values, "several")


PLACES = ("input", "bias", "scan", "backbone")
CASES = [(name, "all") for name in SIX]
CASES += [(name, where) for name in ("no_elevation", "no_wind") for where in PLACES]


@pytest.fixture(scope="module")
def geographies(several: Study, prepared: Prepared, made: Any) -> Any:
    """The true one, and that under an intervention."""
    true = build_geography(several, prepared)
    return cache(lambda name: (true, changed_geography(several, prepared, made(name))))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_network_notices_what_it_reads_and_nothing_else(
    several: Study,
    prepared: Prepared,
    samples: ForecastDataset,
    made: Any,
    geographies: Any,
    variant: str,
) -> None:
    """One that cannot see what is changed forecasts the same, exactly, with all of it changed."""
    batch = samples.__getitems__([0, 9])
    of = batch.lead_hours, several.targets, batch.init_hours
    untouched = build_network(several, variant, prepared, 0).eval()
    with torch.no_grad():
        true = untouched(batch.x, *of)
    for name, where in CASES:
        intervention = stanza(name, where=where)
        met = intervention.affects(several.variant_stanzas[variant], several.inputs)
        network, places = deepcopy(untouched), intervention.places() if where == "all" else met
        intervened(network, intervention, places, *geographies(name))
        with torch.no_grad():
            found = network(made(name).__getitems__([0, 9]).x, *of)
        assert torch.equal(found, true) == (not met), (name, where, met)
        if "scan" in met:
            assert isinstance(network.scan, RasterScan) == (name == "no_wind")


def test_a_strength_is_that_of_the_bias(several: Study, prepared: Prepared) -> None:
    alphas = {name: stanza(name) for name in ("alpha_zero", "alpha_doubled")}
    for variant in VARIANTS:
        given = several.variant_stanzas[variant], several.inputs
        met = ("bias",) if variant in ("biased", "guided") else ()
        assert all(each.affects(*given) == met for each in alphas.values())
    network = build_network(several, "biased", prepared, 0)
    (before,) = [value.item() for name, value in network.named_parameters() if "alpha" in name]
    with strength_times(network, 2.0):
        (now,) = [value.item() for name, value in network.named_parameters() if "alpha" in name]
    assert (before, now) == (5.0, 10.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fields": ["wind"]}, "either fields and their change"),
        ({"change": "zero"}, "either fields and their change"),
        ({"fields": ["wind"], "change": "zero", "strength": 2.0}, "either fields"),
        ({}, "either fields"),
        ({"strength": 2.0, "where": "bias"}, "where belongs to fields"),
        ({"fields": ["pm25"], "change": "reversed"}, "only the wind can be reversed"),
        ({"fields": ["elevation"], "change": "other_times"}, "elevation is the same at all times"),
    ],
)
def test_an_intervention_that_makes_no_sense_is_refused(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Intervention(label="x", **values)


def handed_to(variant: str, values: dict[str, Any]) -> Study:
    """What the step of a variant is handed of a study."""
    whole = validate_study(values, "x")
    return view(whole, "interventions", chosen=chosen("interventions", whole, variant))


def test_every_intervention_is_scored_once_at_fewer_init_times(
    study: Study, prepared: Prepared, run: Path, climatology: Path, tmp_path: Path
) -> None:
    every = 2 * study.splits.test.init_every_h
    values = study.model_dump(mode="json") | deepcopy(STANZAS)
    unmet = {"label": "x", "fields": ["wind"], "change": "zero", "where": "backbone"}
    values["intervention_stanzas"]["unmet"] = unmet
    values["interventions"] = {"apply": ["no_wind", "unmet", "alpha_zero"], "init_every_h": every}
    listed = tmp_path / "interventions.json"
    intervene(handed_to("physics_mask", values), run, prepared, climatology, listed)
    assert not scores_of(listed, "unmet").exists()
    files = [scores_of(listed, name) for name in ("no_wind", "alpha_zero")]
    first = read_scores(files[0])
    expected = {"kind": "intervention", "name": "no_wind", "made_from": "physics_mask", "seed": 1}
    assert expected.items() <= first.attrs.items()
    assert first.attrs["fingerprint"] == read_run(run)["checkpoint"]["sha256"]
    steps = np.diff(first["init_time"].values) / np.timedelta64(1, "h")
    assert set(steps) == {every}
    times = [path.stat().st_mtime_ns for path in files]
    files[1].unlink()
    values["interventions"]["apply"].append("no_population")
    intervene(handed_to("physics_mask", values), run, prepared, climatology, listed)
    assert files[0].stat().st_mtime_ns == times[0]  # it was there
    assert files[1].is_file()
    assert scores_of(listed, "no_population").is_file()
