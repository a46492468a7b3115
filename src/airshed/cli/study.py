"""Configuration of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from airshed.cli.app import app
from airshed.cli.options import Output
from airshed.errors import AirshedError, refusing

VALUES = "--values"


@app.command()
def resolve_config(
    output: Output,
    values: Annotated[str | None, typer.Option(help="The study as JSON.")] = None,
    files: Annotated[
        list[Path] | None, typer.Argument(help="YAML files, later ones override earlier ones.")
    ] = None,
) -> None:
    """Validate a study's configuration and write it with every default filled in."""
    from airshed.config import dump_study, load_study, validate_study
    from airshed.integrity.atomic import write_text

    if (values is None) == (not files):
        raise AirshedError("give either --values or YAML files")
    study = load_study(files or []) if values is None else validate_study(_parsed(values), VALUES)
    write_text(output, dump_study(study))


def _parsed(text: str) -> dict[str, Any]:
    what = "the values are not valid JSON"
    with refusing(ValueError, RecursionError, what=what, where=VALUES, found=str):
        values = json.loads(text)
    if not isinstance(values, dict):
        raise AirshedError(
            "the values must be a JSON object", where=VALUES, found=type(values).__name__
        )
    return values


@app.command()
def schema(output: Output) -> None:
    """Write the JSON schema of a study's configuration."""
    from airshed.config import json_schema
    from airshed.integrity.atomic import write_json

    write_json(output, json_schema())
