"""Which steps run again after which change: every setting, and every kind of file of the user.

The study is finished by a stand-in for `airshed` that only makes files, since what counts here is
what Snakemake plans next; the notes beside them are those of the steps.
"""

from __future__ import annotations

import os
import shutil
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from planning import plan
from pydantic import TypeAdapter, ValidationError
from snakemake.exceptions import WorkflowError
from workflow_runs import with_stand_in

from airshed.config import Study, read_yaml, validate_study
from airshed.config.backbones import SwinBackbone
from airshed.config.base import Section
from airshed.config.biases import Bias
from airshed.config.grids import Box
from airshed.config.load import merge
from airshed.config.shapes import Shapes, declared
from airshed.config.study import DECLARED
from airshed.graph.notes import Making
from airshed.graph.products import PRODUCTS, following
from airshed.graph.settings import name_of
from airshed.graph.study import StudyGraph

HELPERS = Path(__file__).resolve().parents[1] / "helpers"
BOX = {"south": 20.0, "north": 45.0, "west": 90.0, "east": 120.0}
STANZAS: dict[str, Any] = {
    "wind_baseline": {
        "backbone": {"kind": "wind_graph", "reaches": [1]},
        "regions": {"rows": 1, "columns": 4},
    },
    "physics_mask": {},
    "finetune": {
        "label": "trained on",
        "backbone": {"kind": "advection_diffusion"},
        "start_from": "wind_baseline",
        "reference": "wind_baseline",
    },
    "tuned": {
        "label": "from a checkpoint",
        "pretrained": {
            "checkpoint": "given/weights.ckpt",
            "variables": ["u"],
            "patch_grid": {"rows": 2, "columns": 4},
        },
        "backbone": {"kind": "swin", "window": 2},
    },
}
INTERVENTIONS = {"cold": "zero", "dry": "mean"}
ABSENT = {"pace", "ensemble"}  # no step of the workflow; made of two seeds
EVERYTHING = {
    "study": "tiny",
    "variants": [*STANZAS],
    "variant_stanzas": STANZAS,
    "seeds": [0],
    "dataset": {
        "crop": {"rows": [0, 9], "columns": [0, 19]},
        "elevation_file": "given/dem.nc",
        "variables": {
            "nh3": {
                "standard_name": "mass_concentration_of_ammonia_in_air",
                "units": "ug m-3",
                "long_name": "ammonia",
                "limits": [0.0, 500.0],
                "aliases": ["ammonia"],
            }
        },
    },
    "normalisation": {"fixed": {"pm25": {"mean": 40.0, "std": 30.0}}},
    "jobs": {"variants": {"physics_mask": {"mem_mb": 5000}}},
    "interventions": {"apply": [*INTERVENTIONS], "init_every_h": 6},
    "intervention_stanzas": {
        name: {"label": name, "fields": ["temp", "rh"], "change": change}
        for name, change in INTERVENTIONS.items()
    },
    "stations": {
        "tables": ["given/stations*.csv"],
        "sites": "given/sites.csv",
        "mixing_ratios_at": {"temperature_c": 25, "pressure_hpa": 1013},
    },
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
ANOTHER = "given/another"
# what changes where results lie, so that they are made anew there: raw data have no grid
ANEW = {
    "study": {product.rule for product in PRODUCTS.values()}
    - {
        "",
        "ensemble",
        "simulate",
        "ingest",
        "static_fields",
        "patch_elevation",
        "statistics",
        "scan_tables",
    }
    - {"climatology", "damping"},
    "dataset.name": {product.rule for product in PRODUCTS.values()} - {"", "ensemble"},
    "dataset.grid.rows": {product.rule for product in PRODUCTS.values()}
    - {"", "ensemble", "simulate"},
    "dataset.grid.columns": {product.rule for product in PRODUCTS.values()}
    - {"", "ensemble", "simulate"},
}
OTHER_KIND = {
    "backbone": SwinBackbone(kind="swin", window=4),
    "bias": TypeAdapter(Bias).validate_python({"kind": "relative_position"}),
}
NEW_RUNS = {
    "seeds": {"train", "evaluate", "intervene", "interpret"},  # the one seed is another
    "evaluation.ensemble": {"ensemble"},
}
NOT_HERE = {"dataset.path"}  # the data are simulated


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
        for name in ("config.yaml", "variants.yaml"):
            Path("config", name).write_text("{}")  # the study is handed over as it is
        Path("given").mkdir()
        for path in (ANOTHER, *(f"given/{name}" for name in GIVEN)):
            Path(path).write_text(path)
        study = study_of()
        finish(study)
        yield study
    finally:
        os.chdir(before)


def finish(study: Study) -> None:
    """Make what is not there, and note what everything was made from."""
    plan(study, "local")
    graph = StudyGraph(study)
    for product, of in graph.steps():
        for output in graph.outputs(product, of):
            Making(product, study, output, of).done()
    assert not plan(study).jobs


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
    """Another value that a setting may have."""
    accepted = TypeAdapter(annotation)
    schema = accepted.json_schema()
    named = [each for part in (schema, *schema.get("anyOf", ())) for each in part.get("enum", ())]
    for candidate in (*named, *candidates(value)):
        try:
            found = accepted.validate_python(candidate)
        except ValidationError:
            continue
        if found != value:
            return found
    raise AssertionError(f"no other value for {value!r}, {annotation}")


def candidates(value: Any) -> Iterator[Any]:
    """Values of many kinds, those that resemble a given one first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value * 0.5, value + 0.25)
    elif isinstance(value, date):
        yield value + timedelta(days=1)
    elif isinstance(value, str):
        yield f"{value}x"
    elif isinstance(value, list | tuple) and value:
        yield from (value[:-1], [other(value[0], type(value[0])), *value[1:]])
    yield from (
        "given/mask.npy",
        "%Y%m%d.nc",
        2,
        1.5,
        [datetime(2016, 3, 6, 5)],
        [0],
        [2],
        ["pm25"],
        "all",
    )
    yield from ({"pm25": "ug m-3"}, {"pm25": 1.0}, {"pm25": [0.0, 9.0]})


def changed(section: Any, path: tuple[str, ...], value: Any = None) -> Any:
    """A section with one setting changed, whether it fits the others or not."""
    if isinstance(section, dict):
        return section | {path[0]: changed(section[path[0]], path[1:], value)}
    field = type(section).model_fields[path[0]]
    inner = getattr(section, path[0])
    if len(path) > 1:
        new = changed(inner, path[1:], value)
    else:
        new = other(inner, field.rebuild_annotation()) if value is None else value
    return section.model_copy(update={path[0]: new})


def expected(setting: str, path: tuple[str, ...], study: Study) -> set[str]:
    """The rules that a changed setting repeats, by what it is declared to shape."""
    if setting in ANEW:
        return ANEW[setting]
    products = following(DECLARED[setting].products) - ABSENT
    if path[0] == "variant_stanzas" and "training" in products:
        biased = [study.variant_stanzas[name].bias.kind != "none" for name in with_start(path[1])]
        products -= set() if any(biased) else {"interpretation"}
    return {PRODUCTS[product].rule for product in products} | NEW_RUNS.get(setting, set())


def with_start(variant: str) -> list[str]:
    """A variant, and those that start from it."""
    return [variant, *(["finetune"] if variant == "wind_baseline" else [])]


def test_every_setting_repeats_what_it_is_declared_to_shape(finished: Study) -> None:
    """What is wrong is told of all together."""
    settings = used_settings(finished)
    assert DECLARED.keys() - settings.keys() == NOT_HERE
    rules = {
        setting: expected(setting, path, with_another(finished, setting, path))
        for setting, path in settings.items()
    }
    # Snakemake compares names of settings. Those that rename what they are declared to, and shall
    # repeat the same, are changed together
    groups: dict[frozenset[str], list[str]] = {}
    for setting in renaming(finished, settings):
        if settings[setting][0] != "variant_stanzas" or not rules[setting]:  # else who is trained
            groups.setdefault(frozenset(rules[setting]), []).append(setting)
    alone = {*settings} - {setting for group in groups.values() for setting in group}
    for repeated, group in groups.items():
        together = finished
        for setting in group:
            together = with_another(together, setting, settings[setting])
        if plan(together).rules != repeated:
            alone.update(group)  # to tell which of them is wrong
    wrong = []
    for setting in sorted(alone):
        path = settings[setting]
        found = plan(with_another(finished, setting, path))
        if found.rules != rules[setting]:
            wrong.append((path, found.rules ^ rules[setting]))
        trained = {job.variant for job in found.jobs if job.rule == "train"}
        if path[0] == "variant_stanzas" and not trained <= {*with_start(path[1])}:
            wrong.append((path, trained))
    assert not wrong


def renaming(study: Study, settings: dict[str, tuple[str, ...]]) -> set[str]:
    """Those of which a change renames the settings of the products that they are declared to shape.

    Those of files rename nothing: the files' content counts.
    """
    steps = [*StudyGraph(study).steps()]
    names = [name_of(product, study, of) for product, of in steps]

    def renamed(setting: str) -> set[str]:
        another = with_another(study, setting, settings[setting])
        return {
            product
            for (product, of), name in zip(steps, names, strict=True)
            if name_of(product, another, of) != name
        }

    made = {product for product, _ in steps}
    return {
        name for name in settings if renamed(name) == made.intersection(DECLARED[name].products)
    }


def used_settings(study: Study) -> dict[str, tuple[str, ...]]:
    """The path of one leaf for each declared setting that the study uses."""
    used = {"variant_stanzas": STANZAS, "intervention_stanzas": INTERVENTIONS}
    found: dict[str, tuple[str, ...]] = {}
    for path in leaves(study):
        setting = declared_as(path)
        known = setting in DECLARED and setting not in NOT_HERE
        if known and not (path[1:2] and path[1] not in used.get(path[0], path)):
            found.setdefault(setting, path)
    return found


def with_another(study: Study, setting: str, path: tuple[str, ...]) -> Study:
    """A study with another value of a setting."""
    value: Any = "physics_mask" if path[-1] in ("reference", "start_from") else None
    if path[-1] == "kind":
        path, value = path[:-1], OTHER_KIND[path[-2]]
    elif DECLARED[setting].content:
        value = [ANOTHER] if path[-1] == "tables" else ANOTHER
    another: Study = changed(study, path, value)
    return another


def test_going_back_repeats_nothing_and_another_study_no_data(finished: Study) -> None:
    found = plan(changed(finished, ("study",), "another"))
    assert found.counts("train", "evaluate", "ingest", "simulate", "static_fields") == [
        4,
        4,
        0,
        0,
        0,
    ]
    assert not plan(finished).jobs


def test_longer_lists_repeat_nothing_that_is_there(finished: Study) -> None:
    found = plan(changed(finished, ("seeds",), [0, 1]))
    assert found.counts("train", "evaluate", "measure_cost", "baseline") == [4, 4, 0, 0]
    more = finished.variant_stanzas | {"more": finished.variant_stanzas["physics_mask"]}
    study = changed(
        changed(finished, ("variant_stanzas",), more), ("variants",), [*STANZAS, "more"]
    )
    assert plan(study).counts("train", "evaluate", "measure_cost", "baseline") == [1, 1, 1, 0]


def test_a_longer_test_period_repeats_no_training(finished: Study) -> None:
    end = finished.splits.test.end - timedelta(days=1)
    found = plan(changed(finished, ("splits", "test", "end"), end))
    assert not found.rules & {"train", "measure_cost", "statistics", "ingest"}
    assert found.rules >= {"evaluate", "baseline", "compare", "report"}


FILES = {
    "dem.nc": "static",
    "stations1.csv": "observations",
    "sites.csv": "observations",
    "forecast.nc": "external",
    "weights.ckpt": "training",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_replaced_repeats_what_is_made_from_it(finished: Study, name: str) -> None:
    """By a newer or an older one; in the end it is as it was."""
    path = Path("given", name)
    content, before = path.read_text(), path.stat()
    rules = {PRODUCTS[product].rule for product in following([FILES[name]]) - ABSENT}
    try:
        for time_ns in (before.st_mtime_ns + 10**9, before.st_mtime_ns - 10**12):
            path.write_text(content.upper())
            os.utime(path, ns=(time_ns, time_ns))
            found = plan(finished)
            unbiased = {"interpret"} if name == "weights.ckpt" else set()
            assert found.rules == rules - unbiased
            assert {job.variant for job in found.jobs if job.rule == "train"} <= (
                {"tuned"} if name == "weights.ckpt" else {*STANZAS}
            )
        path.write_text(content)  # only its time is another
        assert not plan(finished).jobs
    finally:
        path.write_text(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not plan(finished).jobs


def test_records_of_other_results_do_not_hide_what_is_stale(finished: Study) -> None:
    """As after a copy without ``.snakemake``, in which another study was run since."""
    records, kept = Path(".snakemake/metadata"), Path("records")
    records.rename(kept)
    other = next(path for path in kept.iterdir() if b"wind_roses" in urlsafe_b64decode(path.name))
    try:
        records.mkdir()
        (records / other.name).write_bytes(other.read_bytes())
        assert not plan(finished).jobs
        with pytest.raises(WorkflowError, match=r"records are gone(.|\n)*--forcerun train cost$"):
            plan(changed(finished, ("train", "epochs"), 7))
    finally:
        shutil.rmtree(records)
        kept.rename(records)


ARCHIVES = Path("given/raw")
STATIC = ("elevation", "population", "mask")


def archived() -> Study:
    """The study on archives of its period, with all files that static fields can be made from."""
    about = {"name": "archived", "source": "caqra", "path": str(ARCHIVES)}
    given = {f"{name}_file": f"given/{name}" for name in STATIC}
    return study_of(study="archived", dataset=about | given)


@pytest.fixture
def on_archives(finished: Study) -> Study:
    """The study on archives, finished too."""
    study = archived()
    for name in STATIC:
        Path("given", name).write_text(name)
    for day in study.dataset.period.days:
        path = ARCHIVES / f"{day:%Y%m}" / f"CN-Reanalysis{day:%Y%m%d}.tar.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{day}")
    finish(study)
    return study


def test_archives_are_known_by_their_content(on_archives: Study) -> None:
    """Replaced by a newer or an older file, gone, added again, touched, and behind a link."""
    path = sorted(ARCHIVES.rglob("*.gz"))[3]
    content, before = path.read_text(), path.stat()
    ingested = {PRODUCTS[product].rule for product in following(["hourly"]) - ABSENT} | {"ingest"}
    for time_ns in (before.st_mtime_ns + 10**9, before.st_mtime_ns - 10**12):
        path.write_text("replaced")
        os.utime(path, ns=(time_ns, time_ns))
        assert plan(on_archives).rules == ingested
    path.unlink()
    assert plan(on_archives).rules == ingested
    path.write_text(content)
    assert not plan(on_archives).jobs
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not plan(on_archives).jobs
    for each in ARCHIVES.rglob("*.gz"):
        each.touch()
    assert not plan(on_archives).jobs
    month = path.parent.rename(ARCHIVES.parent / "elsewhere")
    path.parent.symlink_to(month.resolve())
    assert not plan(on_archives).jobs
    added = path.with_name("CN-Reanalysis19990101.tar.gz")  # outside the period: none of it
    added.write_text("another")
    assert not plan(on_archives).jobs
    path.write_text("replaced")
    records = Path(".snakemake/metadata").rename("records")
    try:  # by its note, where Snakemake has no record
        with pytest.raises(WorkflowError, match=r"settings or files(.|\n)*--forcerun ingest"):
            plan(on_archives)
        path.write_text(content)
        assert not plan(on_archives).jobs
    finally:
        records.rename(".snakemake/metadata")


@pytest.mark.parametrize("name", STATIC)
def test_what_static_fields_are_made_from_is_known_by_content(
    on_archives: Study, name: str
) -> None:
    Path("given", name).touch()
    assert not plan(on_archives).jobs
    Path("given", name).write_text("replaced by something else")
    rules = {PRODUCTS[product].rule for product in following(["static"]) - ABSENT}
    assert plan(on_archives).rules == rules


def test_the_report_alone(finished: Study) -> None:
    assert plan(finished, forcerun={"report"}).rules == {"report", "manifest"}


def test_the_scores_of_one_run_alone(finished: Study) -> None:
    scores = "results/tiny/variants/physics_mask/seed0/scores.nc"
    after = {"compare", "score_tables", "external_table", "report", "manifest"}
    after |= {"stations_summary", "episodes_table", "interventions_table"}
    found = plan(finished, forcerun={scores})
    assert found.rules == {"evaluate"} | after
    assert found.counts("evaluate") == [1]
    alone = plan(finished, forcerun={scores}, targets={scores})
    assert alone.rules == {"evaluate"}


def test_one_horizon_of_one_run_is_scored_by_itself(finished: Study) -> None:
    scores = "results/tiny/variants/physics_mask/seed0/horizons/24h/scores.nc"
    assert plan(finished, targets={scores}).rules == {"evaluate_horizon"}


@pytest.mark.parametrize(
    ("removed", "count", "biased"), [("physics_mask", 1, 1), ("wind_baseline/seed0", 2, 0)]
)
def test_a_removed_seed_or_variant_is_trained_anew(
    finished: Study, removed: str, count: int, biased: int, tmp_path: Path
) -> None:
    """With a seed of wind_baseline goes that of finetune, which starts from it."""
    folder = Path("results/tiny/variants", removed)
    shutil.move(folder, tmp_path / "kept")
    try:
        assert plan(finished).counts("train", "evaluate", "interpret") == [count, count, biased]
    finally:
        shutil.move(tmp_path / "kept", folder)


def test_a_setting_that_says_nothing_is_an_error_that_says_how_to_mend_it() -> None:
    class Silent(Section):
        said: Annotated[int, Shapes("training")] = 1
        unsaid: int = 2

    with pytest.raises(TypeError, match=r"setting unsaid .* annotate it in airshed.config"):
        declared(Silent)
    with pytest.raises(TypeError, match="no product: weights"):
        Shapes("weights")
