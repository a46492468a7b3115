from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys
from contextlib import nullcontext
from datetime import date
from functools import reduce
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from airshed.biases import BIASES
from airshed.cli.options import named_study
from airshed.cluster.plan import training_steps
from airshed.config import dump_study, json_schema, load_study, validate_study
from airshed.config.backbones import Backbone
from airshed.config.biases import Bias
from airshed.config.data import TableName
from airshed.config.load import merge
from airshed.errors import AirshedError
from airshed.model.advection_diffusion import AdvectionDiffusion
from airshed.model.bias import KINDS
from airshed.model.bias import Bias as ModelBias
from airshed.model.build import CORES

CONFIG = Path(__file__).resolve().parents[3] / "config"
DEFAULTS = [CONFIG / "config.yaml", CONFIG / "variants.yaml"]
STANZAS = ("variant_stanzas", "intervention_stanzas")  # in variants.yaml


def set_key(values: dict[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    *sections, key = dotted.split(".")
    target = values
    for section in sections:
        target = target.setdefault(section, {})
    target[key] = value
    return values


@pytest.mark.parametrize("name", ["1", "NA", "nan", "1e5", "null", "True", "Infinity", "None"])
def test_a_name_that_a_table_would_not_give_back_is_refused(name: str) -> None:
    """One is tried that is given back, and one that is not."""
    for given, kept in ((name, False), (f"v{name}", True)):
        table = pd.read_csv(StringIO(f"variant,value\n{given},1\n"))
        assert (table["variant"].tolist() == [given]) is kept
        accepted = TypeAdapter(TableName)
        with nullcontext() if kept else pytest.raises(ValidationError, match="a table would not"):
            accepted.validate_python(given)


def test_every_study_file_is_valid() -> None:
    assert load_study(DEFAULTS).study == "demo"
    for path in (CONFIG / "studies").glob("*.yaml"):
        assert load_study([*DEFAULTS, path]).study == path.stem


def test_without_a_named_study_the_demo_runs_and_others_inherit_nothing_of_it() -> None:
    demo, other = CONFIG / "studies/demo.yaml", CONFIG / "studies/aa.yaml"
    assert named_study([]) == load_study([*DEFAULTS, demo])
    assert named_study([other]) == load_study([*DEFAULTS, other])


def test_founding_study_has_the_published_setup() -> None:
    study = load_study([*DEFAULTS, CONFIG / "studies/physics_mask.yaml"])
    assert study.references() == {"physics_mask": "wind_baseline"}
    assert study.patch_grid == (64, 128)
    assert study.horizons_h == [12, 24, 48, 96]
    assert (study.model.dim, study.model.depth, study.model.heads) == (768, 6, 8)
    train = study.train
    assert (train.learning_rate, train.weight_decay, train.warmup_steps) == (1.5e-4, 0.01, 100)
    assert (train.global_batch_size, train.batch_size, train.clip, train.epochs) == (8, 2, 1.0, 1)
    years = [(s.start.year, s.end.year) for s in (study.splits.train, study.splits.test)]
    assert years == [(2013, 2016), (2018, 2018)]


def test_the_founding_run_is_repeated_to_the_letter() -> None:
    """540 batches of 256 samples, four of which make a step, are 135; by our count 137."""
    names = ("physics_mask", "founding")
    study = load_study([*DEFAULTS, *(CONFIG / f"studies/{name}.yaml" for name in names)])
    request, train = study.jobs.request("physics_mask"), study.train
    assert (request.nodes, request.devices, study.seeds) == (16, 8, [0])
    assert train.global_batch_size == 4 * request.processes * train.batch_size == 1024
    assert (train.epochs, train.warmup_steps, train.precision) == (1, 100, "32-true")
    assert (train.learning_rate, training_steps(study)) == (1.5e-4, 137)
    reach = sum(
        rate * train.learning_rate
        for step in range(137)
        for rate in [
            (step + 1) / 100 if step < 100 else (1 + np.cos(np.pi * (step - 100) / 37)) / 2
        ]
    )
    assert reach == pytest.approx(0.01, rel=0.1)


def test_the_ablation_study_lists_every_variant() -> None:
    study = load_study([*DEFAULTS, CONFIG / "studies/ablation.yaml"])
    assert sorted(study.variants) == sorted(study.variant_stanzas)
    assert len(study.seeds) == 5


@pytest.mark.parametrize("kind", BIASES)
def test_a_stanza_of_a_bias_has_the_arguments_of_its_class(kind: str) -> None:
    assert list(inspect.signature(KINDS[kind]).parameters) == ["layout", *BIASES[kind].settings]
    stanza = TypeAdapter(Bias).validate_python({"kind": kind}).model_dump()
    assert stanza == {"kind": kind, "blocks": BIASES[kind].blocks, **BIASES[kind].defaults}
    assert issubclass(KINDS[kind], ModelBias)


def test_a_study_with_every_bias_can_be_sent_to_another_process(
    tiny_values: dict[str, Any],
) -> None:
    for kind in BIASES:
        tiny_values["variant_stanzas"][kind] = {"label": kind, "bias": {"kind": kind}}
    study = validate_study(tiny_values, "tiny")
    assert pickle.dumps(study)


def test_planning_a_study_imports_no_torch() -> None:
    program = "import sys, airshed.config, airshed.config.biases; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_backbone_stanzas_have_the_arguments_of_what_they_build() -> None:
    sections = get_args(get_args(Backbone)[0])
    stanzas = {get_args(part.model_fields["kind"].annotation)[0]: part for part in sections}
    assert set(stanzas) == {"climax", "advection_diffusion", *CORES}
    makes = {kind: list(inspect.signature(make).parameters)[4:] for kind, make in CORES.items()}
    for kind, arguments in makes.items():
        assert set(stanzas[kind].model_fields) - {"kind", "blocks"} == set(arguments)
    network = inspect.signature(AdvectionDiffusion).parameters
    assert set(stanzas["advection_diffusion"].model_fields) - {"kind"} <= set(network)


def test_dump_and_load_give_the_same_study(tiny_values: dict[str, Any], tmp_path: Path) -> None:
    study = validate_study(tiny_values, "tiny")
    path = tmp_path / "resolved.yaml"
    path.write_text(dump_study(study), encoding="utf-8")
    assert load_study([path]) == study


def test_schema_file_is_up_to_date(root: Path) -> None:
    kept = json.loads((root / "workflow/schemas/config.schema.json").read_text(encoding="utf-8"))
    assert kept == json_schema(), "make tables writes it anew"


@pytest.mark.parametrize("name", ["config", "studies/ablation", "studies/supplement"])
def test_the_schema_accepts_what_is_accepted_here_and_no_unknown_key(name: str) -> None:
    accepts = jsonschema.Draft202012Validator(json_schema()).is_valid
    paths = [*DEFAULTS, CONFIG / f"{name}.yaml"]
    written = reduce(merge, [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths])
    study = load_study(paths).model_dump(mode="json")
    assert accepts(study)
    assert accepts(json.loads(json.dumps(written, default=str)))  # dates
    assert not accepts(study | {"trian": {}})
    assert not accepts(study | {"seeds": "three"})


def test_every_default_is_in_the_commented_config() -> None:
    written = yaml.safe_load((CONFIG / "config.yaml").read_text(encoding="utf-8"))
    resolved = load_study(DEFAULTS).model_dump(mode="json")
    for stanzas in STANZAS:
        del resolved[stanzas]

    def keys(values: dict[str, Any], prefix: str = "") -> set[str]:
        names = set()
        for key, value in values.items():
            names.add(prefix + key)
            if isinstance(value, dict):
                names |= keys(value, f"{prefix}{key}.")
        return names

    assert keys(resolved) == keys(written)


def test_merge_overrides_leaves_only() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    assert merge(base, {"a": {"b": 3}, "d": [4]}) == {"a": {"b": 3, "c": 2}, "d": [4]}
    assert base == {"a": {"b": 1, "c": 2}, "d": [1, 2]}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("traain", {}, "did you mean 'train'?"),
        (
            "variant_stanzas.physics_mask.bias.kind",
            "barier",
            "unknown kind 'barier'; did you mean 'barrier'?",
        ),
        ("variant_stanzas.physics_mask.scan", "wnd", "did you mean 'wind'?"),
        ("train.epoch", 3, "did you mean 'epochs'?"),
        ("model.regions.cols", 3, "did you mean 'columns'?"),
        ("variant_stanzas.physics_mask.bias.alpha", 3, "did you mean 'alpha_init'?"),
        ("train.epochs", "many", "found 'many'"),
        ("train.learning_rate", -1, "train.learning_rate"),
        ("horizons_h", [12, 12], "the same value is listed twice"),
        ("horizons_h", [0], "greater than or equal to 1"),
        ("horizons_h", [240], "too few for a horizon of 240 h"),
        ("splits.validation.start", "2016-03-01", "splits must not overlap: 'train'"),
        ("splits.test.end", "2016-03-09", "must lie inside dataset.period"),
        ("splits.test.end", "2016-03-04", "ends (2016-03-04) before it starts"),
        ("dataset.grid.rows", 9, "dataset.grid.rows 9 is not divisible by model.patch 2"),
        ("model.regions.columns", 3, "model.regions.columns 3 does not divide"),
        ("model.heads", 3, "dim 16 is not divisible by heads 3"),
        ("model.dim", 18, "dim 18 is not divisible by 4"),
        ("variants", ["wind_basline"], "did you mean 'wind_baseline'?"),
        ("variants", ["physics_mask"], "its reference 'wind_baseline' is not another variant"),
        ("variant_stanzas.physics_mask.reference", "physics_mask", "not another variant"),
        ("variant_stanzas.physics_mask.bias.blocks", [2], "exceed the model's depth of 2"),
        ("variant_stanzas.physics_mask.bias.kind", "barier", "barrier"),
        ("variant_stanzas.physics_mask.backbone", {"kind": "swin"}, "'swin' does not have"),
        ("variant_stanzas.wind_baseline.backbone", {"kind": "swinn"}, "swin"),
        (
            "variant_stanzas.wind_baseline.backbone",
            {"kind": "wind_graph", "blocks": [2]},
            "backbone.blocks [2] exceed the model's depth of 2",
        ),
        (
            "variant_stanzas.wind_baseline.backbone",
            {"kind": "wind_graph", "reaches": [1, 8]},
            "backbone.reaches [1, 8] do not fit into the patch grid of",
        ),
        (
            "variant_stanzas.wind_baseline",
            {
                "label": "x",
                "backbone": {"kind": "advection_diffusion"},
                "pretrained": {"checkpoint": "a", "variables": ["u"]},
            },
            "has none of a transformer's blocks",
        ),
        ("variant_stanzas.physics_mask.start_from", "climax", "its start_from 'climax' is not"),
        (
            "variant_stanzas.physics_mask",
            {"label": "x", "start_from": "wind_baseline", "pretrained": {"checkpoint": "a"}},
            "pretrained.variables",
        ),
        (
            "variant_stanzas.physics_mask",
            {
                "label": "x",
                "start_from": "wind_baseline",
                "pretrained": {"checkpoint": "a", "variables": ["u"]},
            },
            "exclude each other",
        ),
        (
            "variant_stanzas",
            {
                "wind_baseline": {"label": "a", "start_from": "physics_mask"},
                "physics_mask": {"label": "b", "start_from": "wind_baseline"},
            },
            "leads back: wind_baseline <- physics_mask <- wind_baseline",
        ),
        ("dataset.source", "caqra", "'path' must be set"),
        ("dataset.units", {"pm99": "K"}, "unknown variable 'pm99'"),
        ("dataset.time_step_h", 5, "dataset.time_step_h"),
        ("dataset.time_step_h", 3, "time_step_h and gridded are for source 'gridded'"),
        ("study", "../escape", "study"),
    ],
)
def test_wrong_values_are_refused_and_named(
    tiny_values: dict[str, Any], key: str, value: Any, expected: str
) -> None:
    with pytest.raises(AirshedError) as caught:
        validate_study(set_key(tiny_values, key, value), "study.yaml")
    assert expected in str(caught.value)
    assert "study.yaml" in str(caught.value)


def test_every_wrong_key_is_named_at_once(tiny_values: dict[str, Any]) -> None:
    tiny_values["train"]["epochs"] = 0
    tiny_values["model"]["dim"] = "wide"
    with pytest.raises(AirshedError, match=r"(?s)model\.dim.*train\.epochs"):
        validate_study(tiny_values, "study.yaml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [1,", "not valid YAML"),
        ("- 1\n- 2\n", "must hold keys and values"),
        ("", "must hold keys and values"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(AirshedError, match=expected) as caught:
        load_study([path])
    assert str(path) in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AirshedError, match="No such file"):
        load_study([tmp_path / "absent.yaml"])


def test_every_key_is_explained() -> None:
    text = (CONFIG / "README.md").read_text(encoding="utf-8")
    resolved = load_study(DEFAULTS).model_dump(mode="json")
    for section, content in resolved.items():
        if section in STANZAS:
            continue
        names = content if isinstance(content, dict) else {"": None}
        for name in names:
            key = f"{section}.{name}".rstrip(".")
            assert f"`{key}`" in text or f"`{section}`" in text, key


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("horizons_h", [12, 20], r"horizons_h: \[20\] are not multiples of the time step of 3 h"),
        ("splits.train.init_every_h", 4, "splits.train.init_every_h 4 is not a multiple of the"),
        ("dataset.name", "CAQRA", "results would take 'CAQRA' for other data"),
        ("dataset.gridded.names", {"pm99": "x"}, "gridded.names: unknown variable 'pm99'"),
    ],
)
def test_a_step_of_several_hours_is_kept_everywhere(
    tiny_values: dict[str, Any], key: str, value: Any, expected: str
) -> None:
    paths = dict.fromkeys(("path", "elevation_file", "population_file"), "somewhere")
    tiny_values["dataset"] |= {"source": "gridded", "time_step_h": 3, "gridded": {}} | paths
    assert validate_study(tiny_values, "study.yaml").dataset.steps_a_day == 8
    with pytest.raises(AirshedError, match=expected):
        validate_study(set_key(tiny_values, key, value), "study.yaml")


def test_a_second_set_of_seeds_must_be_another_one(tiny_values: dict[str, Any]) -> None:
    again = {"label": "again", "scan": "wind", "reference": "wind_baseline", "seed_offset": 2}
    tiny_values["variant_stanzas"]["again"] = again
    values = tiny_values | {"variants": ["wind_baseline", "again"], "seeds": [0, 1]}
    study = validate_study(values, "tiny")
    assert [study.random_seed("again", seed) for seed in study.seeds] == [2, 3]
    assert [study.random_seed("wind_baseline", seed) for seed in study.seeds] == [0, 1]
    again["seed_offset"] = 1
    with pytest.raises(AirshedError, match="seed_offset 1 it shares the seeds 1 with"):
        validate_study(values, "tiny")


def test_what_asks_nothing_new_is_a_control_unless_said_otherwise(
    tiny_values: dict[str, Any],
) -> None:
    stanzas = tiny_values["variant_stanzas"]
    base = {"label": "on", "scan": "wind", "start_from": "wind_baseline"}
    stanzas["trained_on"] = base
    stanzas["with_bias"] = base | {"bias": {"kind": "barrier"}}
    stanzas["again"] = {"label": "again", "scan": "wind", "seed_offset": 7}
    stanzas["said"] = stanzas["again"] | {"family": "primary"}
    stanzas["blind"] = {"label": "blind", "scan": "wind", "without": ["wind"]}
    stanzas["drawn"] = {"label": "drawn", "scan": "random"}
    stanzas["coarse"] = {"label": "coarse", "scan": "wind", "regions": {"rows": 1, "columns": 1}}
    study = validate_study(tiny_values, "tiny")
    found = {name: stanza.family for name, stanza in study.variant_stanzas.items()}
    controls = {name for name, family in found.items() if family == "control"}
    listed = {"baseline_finetune", "random_scan", "no_elevation_input", "no_wind_input"}
    assert controls - listed == {"trained_on", "again", "blind", "drawn"}
    assert validate_study(study.model_dump(mode="json"), "again") == study


def test_a_study_with_looks_has_one_of_their_numbers_of_seeds(
    tiny_values: dict[str, Any],
) -> None:
    tiny_values["comparison"] |= {"looks": [2, 5]}
    assert validate_study(tiny_values, "tiny").comparison.looks == (2, 5)
    for looks in ([3, 5], [5, 2], [1, 2]):
        tiny_values["comparison"]["looks"] = looks
        with pytest.raises(AirshedError, match="looks"):
            validate_study(tiny_values, "tiny")


@pytest.mark.parametrize("name", ["aa"])
def test_the_control_differs_from_its_reference_in_seeds_alone(name: str) -> None:
    study = load_study([*DEFAULTS, CONFIG / f"studies/{name}.yaml"])
    control = study.variant_stanzas["wind_baseline_again"]
    apart = {"label", "reference", "seed_offset", "family"}
    assert control.family == "control"
    reference = study.variant_stanzas[study.references()["wind_baseline_again"]]
    assert control.model_dump(exclude=apart) == reference.model_dump(exclude=apart)


def test_the_study_of_cams_has_the_cells_that_its_page_requests() -> None:
    """Area 54, 73.5, 18.75, 135.75 of a grid of 0.75 degrees; docs/cams.md tells the steps."""
    study = load_study([*DEFAULTS, CONFIG / "studies/cams_eac4.yaml"])
    box = study.dataset.box
    assert box is not None
    lat, lon = np.arange(-90, 90.1, 0.75), np.arange(0, 360, 0.75)
    north = lat[(lat >= box.south) & (lat <= box.north)]
    east = lon[(lon >= box.west) & (lon <= box.east)]
    assert [north.max(), east.min(), north.min(), east.max()] == [54, 73.5, 18.75, 135.75]
    assert (len(north), len(east)) == (study.dataset.grid.rows, study.dataset.grid.columns)
    days = (date(2017, 1, 1) - date(2013, 1, 1)).days
    assert (days * 8 - 96 // 3) * 4 // 8 == training_steps(study) == 5828


def test_the_worlds_of_truth_recovery_differ_in_blocking_alone() -> None:
    files = [*DEFAULTS, CONFIG / "studies/recovery.yaml"]
    blocked = load_study(files).model_dump()
    flat = load_study([*files, CONFIG / "studies/recovery_flat.yaml"]).model_dump()
    assert blocked["dataset"]["simulator"].pop("terrain_blocking") == 0.95
    assert flat["dataset"]["simulator"].pop("terrain_blocking") == 0
    for values in (blocked, flat):
        del values["study"], values["dataset"]["name"]
    assert flat == blocked
