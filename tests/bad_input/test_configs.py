"""Configurations in which something is wrong, through ``airshed resolve-config``."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import airshed, refused

from airshed.config import read_yaml, validate_study
from airshed.errors import AirshedError
from airshed.variables import INPUTS

ROOT = Path(__file__).resolve().parents[2]
NAN, INFINITY = float("nan"), float("inf")
BOX = {"south": 30, "north": 40, "west": 100, "east": 110}
EPISODE = {"start": "2016-03-05", "end": "2016-03-06", "box": BOX}
CHECKPOINT = {"checkpoint": "a.ckpt", "variables": ["u", "v"]}
NH3 = {"standard_name": "ammonia", "units": "ug m-3", "limits": [0, 500]}
STANZA = "variant_stanzas.physics_mask"
CALM = {"label": "x", "scan": "raster"}


def small_study() -> dict[str, Any]:
    stanzas = read_yaml(ROOT / "config/variants.yaml")["variant_stanzas"]
    kept = {name: stanzas[name] for name in ("wind_baseline", "physics_mask", "physics_finetune")}
    return read_yaml(ROOT / "tests/helpers/tiny_study.yaml") | {"variant_stanzas": kept}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in which nothing is wrong."""
    path = tmp_path_factory.mktemp("base") / "base.yaml"
    path.write_text(yaml.safe_dump(small_study()), encoding="utf-8")
    return path


VALUES: list[tuple[str, Any, tuple[str, ...]]] = [
    # names of keys
    ("Study", "x", ("unknown key 'Study'", "did you mean 'study'")),
    ("dataset.periods", {}, ("dataset", "'periods'", "did you mean 'period'")),
    ("dataset.grid.row", 8, ("dataset.grid", "'row'", "did you mean 'rows'")),
    ("dataset.quality.missing_hour", "mask", ("'missing_hour'", "did you mean 'missing_hours'")),
    ("splits.validate", {}, ("splits", "'validate'", "did you mean 'validation'")),
    ("splits.train.every_h", 3, ("splits.train", "'every_h'", "did you mean 'init_every_h'")),
    ("model.layers", 3, ("model", "unknown key 'layers'")),
    ("train.lr", 0.1, ("train", "unknown key 'lr'")),
    ("train.learningrate", 0.1, ("did you mean 'learning_rate'",)),
    ("loader.holds", "auto", ("loader", "did you mean 'hold'")),
    ("jobs.memory_mb", 9, ("jobs", "did you mean 'mem_mb'")),
    ("comparison.margins", 0.1, ("comparison", "did you mean 'margin'")),
    ("evaluation.batchsize", 1, ("evaluation", "did you mean 'batch_size'")),
    ("preprocessing.clusters", "local", ("preprocessing", "did you mean 'cluster'")),
    ("normalisation.logs", {}, ("normalisation", "did you mean 'log'")),
    (f"{STANZA}.scans", "wind", (STANZA, "did you mean 'scan'")),
    (f"{STANZA}.bias.block", [0], ("bias.barrier", "did you mean 'blocks'")),
    # types
    ("study", 7, ("study", "valid string", "found 7")),
    ("seeds", 3, ("seeds", "valid list", "found 3")),
    ("seeds", ["a"], ("seeds.0", "valid integer", "found 'a'")),
    ("seeds", [True, False], ("seeds", "expected a number", "True")),
    ("train.epochs", True, ("train", "'epochs': expected a number", "True")),
    ("train.epochs", 2.5, ("train.epochs", "fractional part", "found 2.5")),
    ("train.tensorboard", "perhaps", ("train.tensorboard", "valid boolean", "found 'perhaps'")),
    ("train", None, ("train", "valid dictionary", "found None")),
    ("dataset", [1], ("dataset", "valid dictionary", "found [1]")),
    ("dataset.path", 5, ("dataset.path", "valid string", "found 5")),
    ("dataset.units", {"co": 5}, ("dataset.units.co", "valid string", "found 5")),
    ("dataset.utc_offset_h", "+08:00", ("dataset.utc_offset_h", "valid number", "'+08:00'")),
    ("dataset.quality.limits", {"pm25": [0]}, ("dataset.quality.limits.pm25", "at least 2")),
    ("horizons_h", 12, ("horizons_h", "valid list", "found 12")),
    ("horizons_h", [12.5], ("horizons_h.0", "fractional part", "found 12.5")),
    ("variants", "physics_mask", ("variants", "valid list", "found 'physics_mask'")),
    (f"{STANZA}.bias.wind_modulation", "perhaps", ("wind_modulation", "boolean", "'perhaps'")),
    # ranges
    ("seeds", [-1], ("seeds.0", "greater than or equal to 0", "found -1")),
    ("seeds", [], ("seeds", "at least 1 item")),
    ("variants", [], ("variants", "at least 1 item")),
    ("horizons_h", [-12], ("horizons_h.0", "greater than or equal to 1", "found -12")),
    ("train.epochs", 0, ("train.epochs", "greater than or equal to 1", "found 0")),
    ("train.learning_rate", 0, ("train.learning_rate", "greater than 0", "found 0")),
    ("train.learning_rate", NAN, ("train.learning_rate", "finite", "found nan")),
    ("train.learning_rate", INFINITY, ("train.learning_rate", "finite", "found inf")),
    ("train.clip", -1, ("train.clip", "greater than 0", "found -1")),
    ("train.warmup_steps", -1, ("train.warmup_steps", "found -1")),
    ("train.workers", -1, ("train.workers", "found -1")),
    ("model.dropout", 1.5, ("model.dropout", "less than or equal to 1", "found 1.5")),
    ("model.drop_path", NAN, ("model.drop_path", "found nan")),
    ("model.depth", 0, ("model.depth", "found 0")),
    ("dataset.grid.rows", -8, ("dataset.grid.rows", "found -8")),
    ("dataset.utc_offset_h", 15, ("dataset.utc_offset_h", "less than or equal to 14", "15")),
    ("dataset.min_coverage", 99, ("dataset.min_coverage", "less than or equal to 1", "99")),
    ("dataset.simulator.terrain_blocking", 2, ("terrain_blocking", "found 2")),
    ("dataset.simulator.cell_km", 0, ("dataset.simulator.cell_km", "found 0")),
    ("dataset.box", BOX | {"north": 91}, ("dataset.box.north", "90", "found 91")),
    ("dataset.box", BOX | {"south": 41}, ("dataset.box", "the box is empty", "41")),
    ("dataset.crop", {"rows": [5, 5], "columns": [0, 3]}, ("dataset.crop", "rows [5, 5]")),
    ("dataset.crop", {"rows": [-1, 5], "columns": [0, 3]}, ("dataset.crop", "[-1, 5]")),
    ("dataset.quality.limits", {"pm25": [9, 1]}, ("limits.pm25", "9 is not below 1")),
    ("dataset.quality.limits", {"pm25": [NAN, 1]}, ("limits.pm25", "found nan")),
    ("comparison.significance", 0.7, ("comparison.significance", "found 0.7")),
    ("comparison.resamples", 10, ("comparison.resamples", "1000", "found 10")),
    ("climatology.harmonics", 13, ("climatology.harmonics", "found 13")),
    ("evaluation.climatology_harmonics", 3, ("is now called 'climatology.harmonics'",)),
    ("model.departs_from", "persistance", ("did you mean 'persistence'",)),
    ("evaluation.elevation_edges_m", [9, 1], ("elevation_edges_m", "must rise", "9.0, 1.0")),
    ("evaluation.wind_speed_edges_ms", [1, NAN], ("wind_speed_edges_ms.1", "found nan")),
    ("normalisation.fixed", {"pm25": {"mean": 1, "std": 0}}, ("fixed.pm25.std", "found 0")),
    ("normalisation.fixed", {"pm25": {"mean": INFINITY, "std": 1}}, ("pm25.mean", "found inf")),
    ("normalisation.log", {"pm25": -1}, ("normalisation.log.pm25", "found -1")),
    ("normalisation.log", {"temp": 1}, ("normalisation", "temp", "has no logarithm")),
    (f"{STANZA}.bias.alpha_init", NAN, ("alpha_init", "finite", "found nan")),
    (f"{STANZA}.bias.blocks", [-1], ("blocks", "found -1")),
    ("study", "x" * 300, ("study", "at most 100 characters")),
    # words
    ("dataset.source", "CAQRA", ("dataset.source", "'caqra'", "found 'CAQRA'")),
    ("dataset.wind_frame", "world", ("dataset.wind_frame", "'earth' or 'grid'", "'world'")),
    ("dataset.precision", "float8", ("dataset.precision", "'float16'", "'float8'")),
    ("dataset.quality.missing_hours", "fill", ("missing_hours", "'refuse' or 'mask'", "'fill'")),
    ("train.precision", "16", ("train.precision", "'bf16-mixed'", "found '16'")),
    ("train.accelerator", "tpu", ("train.accelerator", "'gpu'", "found 'tpu'")),
    (f"{STANZA}.scan", "winds", ("scan", "'wind_as_published'", "found 'winds'")),
    (f"{STANZA}.bias.kind", "fence", ("bias", "'fence'", "known kinds: none, barrier,")),
    ("study", "a b", ("study", "match pattern", "found 'a b'")),
    ("study", "", ("study", "match pattern", "found ''")),
    ("study", "a;b", ("study", "match pattern", "found 'a;b'")),
    ("study", "$HOME", ("study", "match pattern", "found '$HOME'")),
    ("study", "-a", ("study", "match pattern", "found '-a'")),
    ("study", "a\nb", ("study", "match pattern", "found 'a\\nb'")),
    ("study", "a\n", ("study", "match pattern", "found 'a\\n'")),
    ("study", "1e5", ("study", "a table would not read '1e5'")),
    ("external", {"NA": {"path": "x"}}, ("external.NA", "a table would not read 'NA'")),
    ("dataset.name", "a'b", ("dataset.name", "match pattern", "a'b")),
    ("dataset.name", "a/b", ("dataset.name", "match pattern", "found 'a/b'")),
    ("dataset.name", "..", ("dataset.name", "match pattern", "found '..'")),
    ("dataset.units", {"ozone": "K"}, ("dataset", "unknown variable 'ozone'")),
    ("dataset.quality.limits", {"pm2.5": [0, 1]}, ("'pm2.5'", "did you mean 'pm25'")),
    ("normalisation.log", {"no3": 1}, ("unknown variable 'no3'", "did you mean 'o3'")),
    ("inputs", ["u", "pm52"], ("inputs", "'pm52'", "did you mean 'pm25'")),
    ("targets", ["elevation"], ("targets", "unknown variable 'elevation'")),
    ("dataset.hourly", ["u", "lat2d"], ("dataset", "hourly", "unknown variable 'lat2d'")),
    ("dataset.variables", {"NH3": NH3}, ("dataset.variables.NH3", "match pattern", "'NH3'")),
    ("dataset.variables", {"all": NH3}, ("variables.all", "stands for something else")),
    ("dataset.variables", {"na": NH3}, ("variables.na", "stands for something else")),
    ("dataset.variables", {"t2m": NH3}, ("variables.t2m", "'temp' in the dictionary")),
    ("dataset.variables", {"pm25": NH3}, ("variables.pm25", "ug m-3", "dataset.units")),
    ("dataset.variables", {"nh3": {"unit": "K"}}, ("variables.nh3", "did you mean 'units'")),
    ("dataset.variables", {"nh3": {}}, ("variables.nh3", "standard_name, units, limits must be")),
    ("dataset.variables", {"co": {"limits": [9, 1]}}, ("variables.co", "9 is not below 1")),
    ("dataset.variables", {"co": {"aliases": ["O3"]}}, ("variables.co", "'o3' stands for 'o3'")),
    ("stations", {"tables": ["a"], "units": {"pm2": "K"}}, ("stations.units", "'pm2'", "pm25")),
    ("external", {"a b": {"path": "x"}}, ("external.a b", "match pattern")),
    # days
    ("dataset.period.start", 2016, ("dataset.period.start", "expected a day", "found 2016")),
    ("dataset.period.start", "26.02.2016", ("dataset.period.start", "found '26.02.2016'")),
    ("dataset.period.start", "2015-02-29", ("dataset.period.start", "'2015-02-29'")),
    ("splits.test.start", "2016-03-05T00:00:00+08:00", ("splits.test.start", "+08:00")),
    ("dataset.period", {"start": "2016-03-08", "end": "2016-02-26"}, ("dataset.period", "ends")),
    ("splits.train", {"start": "2016-03-01", "end": "2016-02-26"}, ("splits.train", "ends")),
    # parts that contradict each other
    ("splits.validation.start", "2016-02-28", ("splits", "'train'", "'validation'", "overlap")),
    ("splits.test.start", "2016-03-04", ("splits", "'validation'", "'test'", "overlap")),
    ("splits.train.start", "2016-02-25", ("splits.train", "inside dataset.period", "20160225")),
    ("horizons_h", [12, 72], ("splits.validation", "72 h", "too few for a horizon of 72 h")),
    ("horizons_h", [24, 24], ("horizons_h", "twice", "[24, 24]")),
    ("seeds", [1, 1], ("seeds", "twice", "[1, 1]")),
    ("inputs", ["u", "v", "u"], ("inputs", "twice", "'u'")),
    ("targets", [], ("targets", "at least 1 item")),
    ("dataset.hourly", ["u", "v", "u"], ("dataset", "hourly", "twice")),
    ("dataset.hourly", ["u", "v"], ("inputs", "lacks temp, rh", "add them to dataset.hourly")),
    ("inputs", ["pm25", "v"], ("variants.wind_baseline", "its scan 'wind'", "add u to inputs")),
    ("external", {"a": {"path": "x", "units": {"pm": "K"}}}, ("external.a.units", "'pm'")),
    ("variants", ["physics_mask"] * 2, ("variants", "twice")),
    ("variants", ["physics_musk"], ("variants", "'physics_musk'", "did you mean 'physics_mask'")),
    ("model.patch", 3, ("dataset.grid.rows 8", "model.patch 3")),
    ("model.regions.rows", 3, ("model.regions.rows 3", "4 rows")),
    (
        f"{STANZA}.regions",
        {"rows": 3, "columns": 1},
        ("variants.physics_mask.regions.rows 3", "patch grid's", "rows"),
    ),
    (f"{STANZA}.without", ["elevations"], ("variants.physics_mask", "did you mean 'elevation'")),
    (f"{STANZA}.without", [*INPUTS], ("variants.physics_mask", "leaves no input")),
    ("variant_stanzas.wind_baseline", CALM | {"sectors": 8}, ("sectors", "no use", "'raster'")),
    (
        "variant_stanzas.wind_baseline",
        CALM | {"start_from": "physics_mask", "without": ["wind"]},
        ("starts from 'physics_mask'", "other inputs"),
    ),
    ("model.heads", 5, ("model", "dim 16", "heads 5")),
    (f"{STANZA}.bias.blocks", [7], ("variants.physics_mask", "[7]", "depth of 2")),
    (f"{STANZA}.reference", "nothing", ("variants.physics_mask", "reference 'nothing'")),
    (
        "variant_stanzas.wind_baseline.reference",
        "physics_mask",
        ("variants.wind_baseline", "reference leads back", "<- physics_mask <-"),
    ),
    (
        "variant_stanzas.wind_baseline.start_from",
        "wind_baseline",
        ("variants.wind_baseline", "start_from 'wind_baseline' is not another"),
    ),
    (
        "variant_stanzas.wind_baseline.bias",
        {"kind": "barrier", "blocks": [0], "alpha_init": 0.2},
        ("'wind_baseline' and 'physics_mask' are the same training", "seed_offset"),
    ),
    ("comparison.looks", [3, 5], ("comparison.looks", "3, 5 seeds, but has 2")),
    (f"{STANZA}.pretrained", CHECKPOINT | {"variables": []}, ("pretrained.variables", "at least")),
    (
        f"{STANZA}.pretrained",
        CHECKPOINT | {"variables": ["u", "u"]},
        ("variants.physics_mask", "pretrained.variables", "twice"),
    ),
    ("dataset.source", "yearly_zarr", ("dataset", "'path' must be set", "yearly_zarr")),
    ("preprocessing.cluster", "scheduler", ("preprocessing", "address")),
    ("preprocessing.address", "tcp://10.0.0.1:1", ("preprocessing", "address")),
    ("jobs.variants", {"physics_max": {}}, ("jobs.variants", "did you mean 'physics_mask'")),
    ("external", {"physics_mask": {"path": "x"}}, ("external.physics_mask", "a variant has")),
    ("stations", {"tables": []}, ("stations.tables", "at least 1 item")),
    ("episodes", {"a": EPISODE | {"start": "2016-03-09"}}, ("episodes.a", "ends")),
    (
        "episodes",
        {"a": EPISODE | {"start": "2016-02-27", "end": "2016-02-28"}},
        ("episodes.a", "shares no day with splits.test"),
    ),
    (
        "episodes",
        {"a": EPISODE | {"map_times": ["2016-03-05T00:00:00+08:00"]}},
        ("episodes.a", "no time zone", "+08:00"),
    ),
    ("episodes", {"a": EPISODE | {"map_times": ["2016-03-09"]}}, ("episodes.a", "lies outside")),
    (
        "episodes",
        {"a": EPISODE | {"transect": {"start": [30, 100], "end": [30, 100]}}},
        ("episodes.a.transect", "starts where it ends"),
    ),
]

TEXTS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "nothing": (b"", ("must hold keys and values", "NoneType")),
    "a comment alone": (b"# nothing\n", ("must hold keys and values",)),
    "a list": (b"- 1\n- 2\n", ("must hold keys and values", "list")),
    "one word": (b"demo\n", ("must hold keys and values", "str")),
    "a bracket that stays open": (b"seeds: [0,\n", ("not valid YAML", "line 2")),
    "a quote that stays open": (b"study: 'demo\n", ("not valid YAML", "line 2")),
    "a tab": (b"train:\n\tepochs: 3\n", ("not valid YAML", "'\\t'", "line 2")),
    "uneven blanks": (b"train:\n   epochs: 3\n  clip: 1\n", ("not valid YAML", "line 3")),
    "two documents": (b"study: a\n---\nstudy: b\n", ("not valid YAML", "line 2")),
    "an alias of nothing": (b"train: *other\n", ("not valid YAML", "other", "line 1")),
    "an alias of itself": (b"train: &a [*a]\n", ("not valid YAML", "itself", "line 1")),
    "a key that is a list": (b"? [a, b]\n: 1\n", ("not valid YAML", "unhashable")),
    "a key that is a number": (b"7: demo\n", ("unknown key '7'",)),
    "code": (b"study: !!python/object/apply:os.getcwd []\n", ("not valid YAML", "os.getcwd")),
    "bytes that are no text": (b"study: \xff\xfe\n", ("not valid YAML", "0xff")),
    "a null byte": (b"study: a\x00b\n", ("not valid YAML", "#x0000")),
    "a key twice": (b"seeds: [0]\nseeds: [1]\n", ("twice", "line 2", "'seeds'", "line 1")),
    "a key twice inside": (
        b"train:\n  epochs: 1\n  clip: 1\n  epochs: 2\n",
        ("twice", "line 4", "'epochs'", "line 2"),
    ),
    "a section twice": (b"train: {clip: 2}\ntrain: {epochs: 1}\n", ("twice", "'train'", "line 2")),
    "nested without end": (b"a: " + b"[" * 1_000_000, ("not valid YAML", "100 levels", "line 1")),
    "aliases that stand for a billion": (
        b"a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
        + b"".join(
            b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)
        ),
        ("aliases", "100,000"),
    ),
    "a PNG": (b"\x89PNG\r\n\x1a\n\x00\x00", ("not valid YAML",)),
}

JSON_VALUES: dict[str, tuple[str, tuple[str, ...]]] = {
    "no JSON": ("{study", ("--values", "not valid JSON")),
    "a list": ("[1]", ("--values", "JSON object", "list")),
    "nothing": ("", ("--values", "not valid JSON")),
    "nested without end": ('{"a":' + "[" * 100_000, ("--values", "not valid JSON")),
    "an empty object": ("{}", ("--values", "study", "Field required")),
}


@pytest.mark.parametrize(("key", "value", "said"), VALUES, ids=lambda part: str(part)[:40])
def test_a_wrong_value_is_refused_and_named(
    base: Path, tmp_path: Path, key: str, value: Any, said: tuple[str, ...]
) -> None:
    *sections, last = key.split(".")
    values: dict[str, Any] = {last: value}
    for section in reversed(sections):
        values = {section: values}
    override = tmp_path / "override.yaml"
    override.write_text(yaml.safe_dump(values), encoding="utf-8")
    command = ("resolve-config", "--output", tmp_path / "out.yaml", base, override)
    refused(tmp_path, command, override, *said)


@pytest.mark.parametrize("case", TEXTS)
def test_a_file_that_is_no_configuration_is_refused_and_named(
    base: Path, tmp_path: Path, case: str
) -> None:
    content, said = TEXTS[case]
    override = tmp_path / "override.yaml"
    override.write_bytes(content)
    command = ("resolve-config", "--output", tmp_path / "out.yaml", base, override)
    refused(tmp_path, command, override, *said)


@pytest.mark.parametrize("case", JSON_VALUES)
def test_values_that_are_no_study_are_refused(tmp_path: Path, case: str) -> None:
    text, said = JSON_VALUES[case]
    refused(
        tmp_path, ("resolve-config", "--output", tmp_path / "out.yaml", "--values", text), *said
    )


def test_the_study_that_all_cases_change_is_a_right_one(base: Path, tmp_path: Path) -> None:
    code, said = airshed("resolve-config", "--output", tmp_path / "out.yaml", base)
    assert (code, said) == (0, "")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@cache
def resolved_study() -> str:
    return validate_study(small_study(), "-").model_dump_json()


def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in values.items():
        found.append((*path, key))
        if isinstance(value, dict):
            found += leaves(value, (*path, key))
    return found


@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(data=st.data(), value=PLAIN)
def test_whatever_stands_in_a_place_is_taken_or_refused_by_its_name(
    data: st.DataObject, value: Any
) -> None:
    values = json.loads(resolved_study())
    *sections, last = data.draw(st.sampled_from(leaves(values)))
    target = values
    for section in sections:
        target = target[section]
    target[last] = value
    with suppress(AirshedError):  # anything else is a defect
        study = validate_study(values, "study.yaml")
        assert validate_study(study.model_dump(mode="json"), "again") == study
