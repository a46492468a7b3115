"""What README, docs/ and the schema take from the configuration: ``make tables`` writes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer
from config_keys import intervention_table, keys_tables, variant_table
from document import document
from typer.cli import get_docs_for_click

from airshed.cli import app
from airshed.cluster.plan import plan_study, training_steps
from airshed.config import json_schema, load_study, read_yaml
from airshed.graph.table import rerunning_table
from airshed.integrity.atomic import write_json

CONFIG = Path(__file__).resolve().parents[1] / "config"
DEFAULTS = (CONFIG / "config.yaml", CONFIG / "variants.yaml")
STUDIES = (
    ("demo",),
    ("cams_eac4",),
    ("physics_mask",),
    ("physics_mask", "founding"),
    ("physics_mask", "ablation"),
)
"""The studies whose needs README shows, by their files."""


def needs_table() -> str:
    """What studies take, as ``airshed plan`` says before anything was run."""
    lines = [
        "| study | trainings | steps of each | devices for each | device-hours asked, at most"
        " | memory asked | hourly fields, at most |",
        "|---|---|---|---|---|---|---|",
    ]
    for files in STUDIES:
        study = load_study([*DEFAULTS, *(CONFIG / f"studies/{name}.yaml" for name in files)])
        seeds, request = len(study.seeds), study.jobs.request(study.variants[0])
        requests = [study.jobs.request(variant) for variant in study.variants]
        asked_h = sum(one.processes * one.runtime_min for one in requests) * seeds / 60
        store = plan_study(study, [], Path("none")).store.removeprefix("at most ")
        cells = (
            " + ".join(f"`{name}`" for name in files),
            len(study.variants) * seeds,
            f"{training_steps(study):,}",
            request.processes,
            f"{asked_h:,.0f}",
            f"{request.mem_mb / 1000:g} GB",
            store.partition(" (")[0],
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def variants_table() -> str:
    """Every variant that studies share, with what it is compared with."""
    lines = ["| variant | what it is | scan | bias | compared with |", "|---|---|---|---|---|"]
    for name, stanza in read_yaml(CONFIG / "variants.yaml")["variant_stanzas"].items():
        reference, bias = (
            f"`{word}`" if word else ""
            for word in (stanza.get("reference"), stanza.get("bias", {}).get("kind"))
        )
        cells = (f"`{name}`", stanza["label"], stanza.get("scan", "raster"), bias, reference)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _say_whole_sentences(group: Any) -> None:
    """Let lists of commands have the first sentences of their help, which typer cuts."""
    for command in getattr(group, "commands", {}).values():
        command.short_help = " ".join((command.help or "").partition("\n\n")[0].split())
        _say_whole_sentences(command)


def commands() -> str:
    """Every command with its arguments and options, as its help says."""
    group = typer.main.get_command(app)
    _say_whole_sentences(group)
    text = get_docs_for_click(obj=group, ctx=typer.Context(group), name="airshed", indent=1)
    return re.sub(r"(\* `--help`.*\n|\n(?=\n\n))", "", text).strip()


TABLES = {
    ("README.md", "needs"): needs_table,
    ("config/README.md", "keys"): keys_tables,
    ("config/README.md", "variant"): variant_table,
    ("config/README.md", "intervention"): intervention_table,
    ("docs/commands.md", "commands"): commands,
    ("docs/rerunning.md", "rerunning"): rerunning_table,
    ("docs/variants.md", "variants"): variants_table,
}
"""Page, name between its marks, and what makes it."""

if __name__ == "__main__":
    for (page, name), table in TABLES.items():
        document(name, table(), CONFIG.parent / page)
    write_json(CONFIG.parent / "workflow/schemas/config.schema.json", json_schema())
