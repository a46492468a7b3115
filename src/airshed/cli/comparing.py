"""Any two things beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airshed.cli.app import app
from airshed.errors import AirshedError

if TYPE_CHECKING:
    from airshed.side_by_side.document import Document

Folder = Annotated[
    Path | None,
    typer.Argument(help="Folder of a run, a variant or a study below results/."),
]


@app.command()
def compare(
    a: Folder = None,
    b: Folder = None,
    reference: Annotated[
        str | None, typer.Option(help="Variant of A, if A is a study with several.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="Variant of B, if B is a study with several.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="Instead of A and B: the log of a Lightning training, or the folder of a run."
        ),
    ] = None,
    physics: Annotated[
        Path | None, typer.Option(help="The log, or folder, that is compared with --baseline.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Also write a page, Markdown, figures and tables there.")
    ] = None,
) -> None:
    """Compare B with A: two runs, variants or studies, or the logs of two trainings.

    Runs that are scored on the same samples are compared as a study compares its variants; what
    differs between their settings, and what they cost, stands beside it. Logs need no more than
    Lightning's progress bar.
    """
    from airshed.side_by_side.document import show, write

    document = _document(a, b, reference, variant, baseline, physics)
    show(document)
    if output is not None:
        write(document, output)
        typer.echo(f"\nWritten: {output / 'comparison.html'}")


def _document(
    a: Path | None,
    b: Path | None,
    reference: str | None,
    variant: str | None,
    baseline: Path | None,
    physics: Path | None,
) -> Document:
    if a is not None and b is not None and baseline is None and physics is None:
        from airshed.side_by_side.run_comparison import compare_runs

        return compare_runs(a, b, reference, variant)
    if baseline is not None and physics is not None and a is None and b is None:
        from airshed.side_by_side.log_comparison import compare_logs

        return compare_logs(baseline, physics)
    raise AirshedError(
        "two things are needed to be compared",
        expected="airshed compare A B with two folders below results/, or"
        " airshed compare --baseline wind.out --physics physics.out with two logs",
        hint="airshed compare --help",
    )
