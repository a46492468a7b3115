"""What settings say of themselves: the table in the docs, defaults, and what a step is handed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from airshed.config import Study, load_study
from airshed.config.study import DECLARED
from airshed.errors import AirshedError
from airshed.graph.products import PRODUCTS, following, leading_to
from airshed.graph.settings import SettingsFiles, name_of, read_by, step_settings
from airshed.graph.views import view

ROOT = Path(__file__).resolve().parents[3]
PINNED = "e204cf882091"


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study([ROOT / "config/config.yaml", ROOT / "config/variants.yaml"])


def test_defaults_are_those_that_identities_leave_out() -> None:
    """What has its default is not part of an identity: a changed default needs a new format."""
    schema = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text())
    found = {
        f"{name}.{key}": field["default"]
        for name, section in {"Study": schema, **schema["$defs"]}.items()
        for key, field in section.get("properties", {}).items()
        if "default" in field and name not in ("JobsConfig", "DaskConfig", "LoaderConfig")
    }
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:12]
    assert digest == PINNED, """a new key: pin this; a changed default: raise the
    version of what it shapes in airshed.integrity.formats first"""


@pytest.mark.parametrize("product", [name for name in PRODUCTS if name not in ("pace", "manifest")])
def test_a_step_gets_from_its_files_what_it_gets_from_the_study(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, product: str
) -> None:
    of = "physics_mask" if product in ("training", "scores", "interpretation", "cost") else None
    if PRODUCTS[product].whole:
        assert view(study, product) is study
        return
    monkeypatch.chdir(tmp_path)
    files = SettingsFiles(study)
    paths = [Path(files.shaping(product, of)), Path(files.work(product, of))]
    files.write()
    found = step_settings(paths, product, of)
    whole = tmp_path / "study.json"
    whole.write_text(study.model_dump_json())
    assert found == step_settings([whole], product, of)
    assert name_of(product, found, of) == name_of(product, study, of) == paths[0].stem
    with pytest.raises(AirshedError, match="settings of another step"):
        step_settings(paths, "manifest")


def test_what_a_step_does_not_declare_is_an_error_for_it(study: Study) -> None:
    part = view(study, "statistics")
    assert str(part.splits.train) == str(study.splits.train)
    for read in (
        lambda: part.comparison,
        lambda: part.splits.test,
        lambda: part.learning_rate("physics_mask"),
        lambda: getattr(part, "train", None),
    ):
        with pytest.raises(AirshedError, match="this step does not declare"):
            read()
    assert not hasattr(part, "nothing")


def test_a_name_stands_for_what_shapes_a_product_and_nothing_else(study: Study) -> None:
    def named(changed: Study) -> str:
        return name_of("training", changed, "physics_mask")

    expected = named(study)
    idle = study.train.model_copy(update={"workers": 3, "log_every_steps": 7})
    shaping = study.train.model_copy(update={"epochs": 9})
    stanza = study.variant_stanzas["physics_mask"]
    renamed = study.variant_stanzas | {"physics_mask": stanza.model_copy(update={"label": "x"})}
    own = study.variant_stanzas | {
        "physics_mask": stanza.model_copy(update={"precision": "bf16-mixed"})
    }
    assert named(study.model_copy(update={"train": idle, "study": "other"})) == expected
    assert named(study.model_copy(update={"variant_stanzas": renamed})) == expected
    assert named(study.model_copy(update={"train": shaping})) != expected
    with_own = study.model_copy(update={"variant_stanzas": own})
    assert named(with_own) != expected
    # its own precision counts, however it is written
    assert named(with_own.for_variant("physics_mask")) == named(with_own)


def test_trainings_follow_from_climatology_only_where_networks_depart_from_it(
    study: Study,
) -> None:
    model = study.model.model_copy(update={"departs_from": "damped_persistence"})
    departing = study.model_copy(update={"model": model})
    for of, read in ((study, False), (departing, True)):
        assert ("training" in following(["climatology"], of)) is read
        assert ("training" in following(["damping"], of)) is read
        assert ({"climatology", "damping"} <= leading_to("training", of)) is read
        assert ("damping" in read_by("training", of)) is read
        assert "climatology" in read_by("scores", of)


def test_every_product_of_the_declaration_is_made_or_looked_up() -> None:
    shaped = {name for shapes in DECLARED.values() for name in shapes.products}
    assert shaped <= PRODUCTS.keys()
    assert PRODUCTS.keys() - shaped == {"manifest"}


def test_what_snakemake_parses_needs_no_heavy_library() -> None:
    """On a login node neither torch nor the data stack need be installed."""
    lines = [
        line
        for path in (ROOT / "workflow/rules").glob("*.smk")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("from airshed")
    ]
    assert len(lines) > 5
    blocked = "import sys\nfor name in ('torch', 'numpy', 'xarray', 'pandas', 'zarr', 'dask'):\n"
    blocked += "    sys.modules[name] = None\n"
    graph = "from airshed.graph.study import StudyGraph\nfrom airshed.config import load_study\n"
    graph += "from pathlib import Path\n"
    graph += (
        "graph = StudyGraph(load_study([Path('config/config.yaml'), Path('config/variants.yaml')]))"
    )
    graph += "\ngraph.notices(); graph.settings('training', 'physics_mask'); graph.files('static')"
    done = subprocess.run(
        [sys.executable, "-c", blocked + "\n".join([*lines, graph])],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
