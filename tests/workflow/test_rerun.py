"""Which steps run again after which change: every setting, and every kind of file of the user.

The study is finished by a stand-in for `airshed` that only makes files, since what counts here is
what Snakemake plans next.
"""

from __future__ import annotations

import os
import shutil
import typing
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from planning import Plan, plan
from workflow_runs import with_stand_in

from airshed.config import Study, read_yaml, validate_study
from airshed.config.base import Section
from airshed.config.data import Box
from airshed.config.load import merge
from airshed.config.shapes import NOTHING, Shapes, declared
from airshed.config.study import DECLARED
from airshed.graph.notes import Making
from airshed.graph.products import PRODUCTS, following
from airshed.graph.study import StudyGraph

HELPERS = Path(__file__).resolve().parents[1] / "helpers"
BOX = {"south": 20.0, "north": 45.0, "west": 90.0, "east": 120.0}
STANZAS: dict[str, Any] = {
    "wind_baseline": {},
    "physics_mask": {},
    "physics_finetune": {},  # starts from the first
    "tuned": {
        "label": "from a checkpoint",
        "pretrained": {
            "checkpoint": "given/weights.ckpt",
            "variables": ["u"],
            "patch_grid": {"rows": 2, "columns": 4},
        },
        "backbone": {"kind": "swin", "window": 2},
    },
    "graph": {"label": "graph", "backbone": {"kind": "wind_graph", "reaches": [1]}},
    "ode": {"label": "ode", "backbone": {"kind": "advection_diffusion", "steps": 3}},
}
EVERYTHING = {
    "study": "tiny",
    "variants": [*STANZAS],
    "variant_stanzas": STANZAS,
    "seeds": [0],
    "dataset": {"crop": {"rows": [0, 9], "columns": [0, 19]}, "elevation_file": "given/dem.nc"},
    "normalisation": {"fixed": {"pm25": {"mean": 40.0, "std": 30.0}}},
    "jobs": {"variants": {"physics_mask": {"mem_mb": 5000}}},
    "stations": {"tables": ["given/stations*.csv"], "sites": "given/sites.csv"},
    "external": {"other": {"path": "given/forecast.nc"}},
    "episodes": {
        "haze": {
            "start": "2016-03-06",
            "end": "2016-03-07",
            "box": BOX,
            "transect": {"start": [30.0, 95.0], "end": [30.0, 100.0]},
        }
    },
}
GIVEN = ("dem.nc", "mask.npy", "weights.ckpt", "stations1.csv", "sites.csv", "forecast.nc")
# what changes where results lie, so that they are made anew there: raw data have no grid
ANEW = {
    "study": {product.rule for product in PRODUCTS.values()}
    - {"", "simulate", "ingest", "static_fields", "patch_elevation", "statistics", "scan_tables"}
    - {"climatology"},
    "dataset.name": {product.rule for product in PRODUCTS.values()} - {""},
    "dataset.grid.rows": {product.rule for product in PRODUCTS.values()} - {"", "simulate"},
    "dataset.grid.columns": {product.rule for product in PRODUCTS.values()} - {"", "simulate"},
}
ONE_VALUE = {"dataset.time_step_h"}


def study_of(**changes: Any) -> Study:
    """The study with every section that a study can have."""
    tiny = merge(
        read_yaml(HELPERS / "tiny_study.yaml"),
        read_yaml(HELPERS.parents[1] / "config/variants.yaml"),
    )
    study = validate_study(merge(merge(tiny, EVERYTHING), changes), "test")
    both = study.dataset.model_copy(update={"box": Box(**BOX)})  # beside crop, only to be changed
    return study.model_copy(update={"dataset": both})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A finished study; the tests are in its folder."""
    folder, before = with_stand_in(tmp_path_factory.mktemp("rerun") / "checkout"), Path.cwd()
    os.chdir(folder)
    try:
        Path("given").mkdir()
        for name in GIVEN:
            Path("given", name).write_text(name)
        study = study_of()
        plan(study, "local")
        assert not plan(study).jobs
        yield study
    finally:
        os.chdir(before)


def leaves(section: Section, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every setting that is there, by the names that lead to it."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from leaves(value, (*path, name))
        elif isinstance(value, dict) and any(isinstance(part, Section) for part in value.values()):
            for key, part in value.items():
                yield from leaves(part, (*path, name, key))
        else:
            yield *path, name


def declared_as(path: tuple[str, ...]) -> str:
    """The path of a setting as it is declared, with ``*`` for the names that users give."""
    for place in range(len(path)):
        starred = ".".join((*path[:place], "*", *path[place + 1 :]))
        if starred in DECLARED:
            return starred
    return ".".join(path)


def other(value: Any, annotation: Any) -> Any:
    """Another value of a setting."""
    parts = [annotation, *typing.get_args(annotation)]
    options = [
        each
        for part in parts
        if typing.get_origin(part) is typing.Literal
        for each in typing.get_args(part)
    ]
    if options and not isinstance(value, list):
        return next(each for each in options if each != value)
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value * 1.25 + 1
        case date() | datetime():
            return value + timedelta(days=1)
        case str():
            return f"{value}x"
        case list() | tuple() if len(value) > 1:
            return value[:-1]
        case list() | tuple():
            return [*value, *value] if value else [datetime(2016, 3, 6, 5)]
        case dict():
            return {"pm25": 1.0}
    return {str: "given/mask.npy", float: 1.0, int: 2}[
        next(t for t in (str, float, int) if t in parts)
    ]


def changed(section: Any, path: tuple[str, ...], value: Any = None) -> Any:
    """A section with one setting changed, whether it fits the others or not."""
    if isinstance(section, dict):
        return section | {path[0]: changed(section[path[0]], path[1:], value)}
    field = type(section).model_fields[path[0]]
    inner = getattr(section, path[0])
    if len(path) > 1:
        new = changed(inner, path[1:], value)
    else:
        new = other(inner, field.annotation) if value is None else value
    return section.model_copy(update={path[0]: new})


def expected(setting: str, path: tuple[str, ...], study: Study) -> set[str]:
    """The rules that a changed setting repeats, by what it is declared to shape."""
    if setting in ANEW:
        return ANEW[setting]
    products = following(DECLARED[setting].products) - {"pace"}
    if path[0] == "variant_stanzas" and "training" in products:
        biased = [study.variant_stanzas[name].bias.kind != "none" for name in with_start(path[1])]
        products -= set() if any(biased) else {"interpretation"}
    return {PRODUCTS[product].rule for product in products}


def with_start(variant: str) -> list[str]:
    """A variant, and those that start from it."""
    return [variant, *(["physics_finetune"] if variant == "wind_baseline" else [])]


def test_every_setting_repeats_what_it_is_declared_to_shape(finished: Study) -> None:
    """All are changed, one by one; what is wrong is told of all together."""
    wrong, seen = [], set()
    for path in leaves(finished):
        setting = declared_as(path)
        if setting in ONE_VALUE or (path[0] == "variant_stanzas" and path[1] not in STANZAS):
            continue
        seen.add(setting)
        value = "physics_mask" if path[-1] in ("reference", "start_from") else None
        found = plan(changed(finished, path, value))
        if found.rules != expected(setting, path, finished):
            wrong.append((path, found.rules ^ expected(setting, path, finished)))
        trained = {job.variant for job in found.jobs if job.rule == "train"}
        if path[0] == "variant_stanzas" and not trained <= {*with_start(path[1])}:
            wrong.append((path, trained))
    assert not wrong
    assert DECLARED.keys() - seen == ONE_VALUE | {"dataset.path"} | missing_in_the_study()


def missing_in_the_study() -> set[str]:
    return set()
