"""What README and docs/ say: links lead somewhere, commands and settings exist, examples run."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
import torch
import typer
import yaml
from doc_examples import PAGES, ROOT, examples, run_python
from doc_tables import TABLES
from snakemake.cli import get_argument_parser
from torch import Tensor, nn
from tutorial import CODE, TUTORIAL, checksum_of_code

from airshed.biases import Registered
from airshed.cli import app
from airshed.config import Study, load_study, read_yaml, validate_study
from airshed.config.load import merge
from airshed.model import ClimaX
from airshed.model.bias import Bias, dense
from airshed.model.bias.base import Layout
from airshed.model.geography import Fields

DEFAULTS = [ROOT / "config/config.yaml", ROOT / "config/variants.yaml"]
CAQRA = [*DEFAULTS, ROOT / "config/studies/physics_mask.yaml"]
CAMS = [*DEFAULTS, ROOT / "config/studies/cams_eac4.yaml"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
OPTION = re.compile(r"--?[a-z]")
SNAKEMAKE_OPTIONS = {*get_argument_parser()._option_string_actions}
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
NOTEBOOK = nbformat.read(ROOT / TUTORIAL, as_version=4)
TEXTS[str(TUTORIAL)] = "\n\n".join(
    cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown"
)
COMMANDS: Any = typer.main.get_command(app)
# pages whose Python needs a finished study, and where it is run
RUN_ELSEWHERE = {
    "docs/forecast-archive.md": "tests/workflow/test_doc_examples.py",
    "docs/scores.md": "tests/workflow/test_doc_examples.py",
    "docs/data-format.md": "tests/workflow/test_doc_examples.py",
    "docs/python.md": "tests/workflow/test_doc_examples.py",
    "docs/supplement.md": "tests/workflow/test_end_to_end.py",
}
RUN_HERE = ("docs/adding-a-bias.md", "docs/cams.md", "docs/pretrained.md")


def test_every_example_of_python_is_run() -> None:
    assert {page for page in PAGES if examples(page, "python")} == {*RUN_ELSEWHERE, *RUN_HERE}


def anchors(page: Path) -> set[str]:
    """What a heading is called in an address, as the public forge makes it."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXTS[page]):
        if not target.startswith("https://"):
            path, _, anchor = target.partition("#")
            found = ((ROOT / page).parent / path).resolve() if path else ROOT / page
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", [page for page in TEXTS if page.startswith(("docs/", "config/"))])
def test_a_page_ends_with_what_to_read_next(page: str) -> None:
    last = TEXTS[page].rstrip().rpartition("\n\n")[2]
    assert last.startswith("Read next: [") or page == "docs/backbones/README.md"  # a kept report


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist_with_their_options(page: str) -> None:
    for words in (words for shown in examples(page, "") for words in shown.commands()):
        if "airshed" in words[:4]:
            _airshed_has(words[words.index("airshed") + 1 :])
        elif words[0] == "snakemake":
            own = words[: words.index("--")] if "--" in words else words
            assert set(filter(OPTION.match, own)) <= SNAKEMAKE_OPTIONS, words
        elif words[0] == "make":
            assert words[1] in MAKE_TARGETS
        for word in words:
            if re.match(r"(config|docs|benchmarks|envs|tests)/", word):
                assert (ROOT / word).exists(), word


def _airshed_has(words: list[str]) -> None:
    """That ``airshed WORDS`` names a command, and options that this command has."""
    command, options = COMMANDS, {"--help"}
    for word in words:
        options |= {n for one in command.params for n in (*one.opts, *one.secondary_opts)}
        known: dict[str, Any] = getattr(command, "commands", {})  # those of a group
        command = known.get(word, command)
        assert not known or word in {*known, *options}, word
        assert not OPTION.match(word) or word in options, word


def test_make_tells_of_every_target_and_the_pages_name_no_other() -> None:
    told = set(re.findall(r"^# make ([a-z-]+) ", MAKEFILE, re.MULTILINE))
    assert told == MAKE_TARGETS - {"help"}
    for page, text in TEXTS.items():
        assert set(re.findall(r"`make ([a-z-]+)", text)) <= MAKE_TARGETS, page


@pytest.mark.parametrize("page", PAGES)
def test_settings_are_those_of_a_study(page: str) -> None:
    """As part of a study, or as stanzas of its variants."""
    for shown in examples(page, "yaml"):
        # the bias that docs/adding-a-bias.md adds is none of the package's
        values = yaml.safe_load(shown.text.replace("kind: uphill", "kind: topoflow"))
        if not values.keys() <= Study.model_fields.keys():
            values = {"variant_stanzas": values}
        base: dict[str, Any] = {}
        for path in CAMS if "time_step_h" in shown.text else CAQRA:
            base = merge(base, read_yaml(path))
        every = [*base["variants"], *values.get("variant_stanzas", {})]
        validate_study(merge(base | {"variants": every}, values), shown.where)


@pytest.mark.parametrize(("page", "name"), TABLES)
def test_generated_tables_are_what_the_settings_say(page: str, name: str) -> None:
    _, _, rest = TEXTS[page].partition(f"<!-- {name}: begin -->\n")
    shown, end, _ = rest.partition(f"\n<!-- {name}: end -->")
    assert end, f"{page} lacks the marks"
    assert shown == TABLES[page, name](), "make tables writes it anew"


def test_pretrained_weights_are_loaded_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"(128, 256), embed_dim=1024, depth=8": "(8, 16), embed_dim=32, depth=2"}
    checkpoint = ClimaX(("t2m", "u", "v"), (4, 8), embed_dim=32, depth=2, num_heads=16)
    torch.save(checkpoint.state_dict(), tmp_path / "climax.ckpt")
    monkeypatch.chdir(tmp_path)
    for shown in examples("docs/pretrained.md", "python"):
        run_python(shown, small)


def test_the_request_for_cams_asks_for_each_month_of_the_study_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    client = SimpleNamespace(retrieve=lambda name, request, path: asked.append(request))
    monkeypatch.setitem(sys.modules, "cdsapi", SimpleNamespace(Client=lambda: client))
    monkeypatch.chdir(tmp_path)
    (shown,) = examples("docs/cams.md", "python")
    run_python(shown, {})
    period = load_study(CAMS).dataset.period
    days = [day for request in asked for day in request["date"][0].split("/")]
    assert (days[0], days[-1]) == (str(period.start), str(period.end))
    nights = zip(days[1:-1:2], days[2::2], strict=True)
    assert all(date.fromisoformat(b) - date.fromisoformat(a) == timedelta(1) for a, b in nights)


def test_the_bias_of_the_page_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class against its formula, and its entry and stanza as a study reads them."""
    given = {
        "Bias": Bias,
        "Layout": Layout,
        "Fields": Fields,
        "Registered": Registered,
        "nn": nn,
        "torch": torch,
        "Tensor": Tensor,
        "Sequence": Sequence,
    }
    written, entry, tile = examples("docs/adding-a-bias.md", "python")
    uphill = run_python(written, {}, **given)["Uphill"](Layout(1, 3, 2), beta_init=0.2)
    elevation, calm = torch.tensor([[0.0, 1500.0, 1000.0]]), torch.zeros(1, 3)
    rise = [[0, 1.5, 1.0], [0, 0, 0], [0, 0.5, 0]]
    expected = -0.2 * torch.tensor(rise)[None, None]
    torch.testing.assert_close(dense(uphill, elevation, calm, calm, calm).detach(), expected)
    registered = run_python(entry._replace(text=f"BIASES = {{{entry.text}}}"), {}, **given)
    assert registered["BIASES"]["uphill"].defaults == {"beta_init": 0.2}
    torch_as_tl = SimpleNamespace(maximum=lambda a, b: a.clamp(min=b))
    of_tile = run_python(tile, {}, jit=lambda function: function, tl=torch_as_tl)["uphill_tile"]
    key = torch.tensor(2.0)
    value, by_strength, _ = of_tile(torch.tensor(0.5), None, key, None, 0.2, 0.0, 1.0)
    assert (value.item(), by_strength.item()) == pytest.approx((-0.3, -1.5))


def test_the_tutorial_shows_what_its_code_gave_on_the_demo() -> None:
    """``make tutorial`` writes it anew; ``test_doc_examples.py`` runs it."""
    code = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]
    assert NOTEBOOK.metadata[CODE] == checksum_of_code(NOTEBOOK), "make tutorial writes it anew"
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert {output.get("name", "stdout") for output in outputs} == {"stdout"}  # no warning
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) == 5
    written = (ROOT / TUTORIAL).read_text(encoding="utf-8")
    assert len(written) < 600_000
    assert not re.search(r"(?<![\w.*/<])/(?:[a-z]+/)+\w", "".join(map(_shown, outputs)))
    assert not [cell for cell in NOTEBOOK.cells if cell.metadata]  # as times of execution


def _shown(output: Any) -> str:
    """What an output says in words."""
    return str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
