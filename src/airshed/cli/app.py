"""The command itself: help, global options, and errors of use without a traceback."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from airshed import __version__
from airshed.errors import AirshedError
from airshed.garbage import look_rarely_for_garbage
from airshed.integrity.atomic import disk_problem

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(
        "Ablation studies of air-quality forecasting transformers. The workflow (snakemake) calls"
        " these steps in order: simulate, ingest, static-fields, patch-elevation, statistics,"
        " scan-tables, train, evaluate, baseline, bench step, interpret, compare-study, report,"
        " manifest. Each can be run by hand too. Before all of them, inspect says what raw files"
        " hold and what would be refused; after them, verify hashes a study again."
    ),
)


@app.callback()
def _main(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback for errors of use too.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    _Settings.debug = debug
    if version:
        typer.echo(__version__)
        raise typer.Exit


class _Settings:
    debug = False


def main() -> None:
    """Run the command; errors of use and of the disk end in one message and exit code 1."""
    look_rarely_for_garbage()
    try:
        app()
    except (AirshedError, OSError) as error:
        meant = disk_problem(error, Path.cwd()) if isinstance(error, OSError) else error
        if _Settings.debug or meant is None:
            raise
        _say(f"airshed: {meant}\n")
        sys.exit(1)
    finally:
        _leave_log()


def _say(message: str) -> None:
    """Write to stderr; to stdout if stderr is a log on a disk that is full."""
    try:
        sys.stderr.write(message)
        sys.stderr.flush()
    except OSError:
        sys.stdout.write(message)


def _leave_log() -> None:
    """Give up what a full disk did not take: Python would say 120 of a step that is done."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
