"""The command, run in this process on something that is wrong, and what must then hold."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from unittest.mock import patch

import typer.main

from airshed.cli import main

# a process makes the command once; here it would be made anew for every call
typer.main.get_command = cache(typer.main.get_command)


def airshed(*arguments: object) -> tuple[int, str]:
    """Exit code of ``airshed ARGUMENTS``, and all that it says."""
    said, code = io.StringIO(), 0
    command = ["airshed", *map(str, arguments)]
    with redirect_stderr(said), redirect_stdout(said), patch.object(sys, "argv", command):
        try:
            main()
        except SystemExit as ended:  # anything else is a traceback, and fails the test
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            said.write(ended.code if isinstance(ended.code, str) else "")
    return code, said.getvalue()


def refused(
    folder: Path, arguments: tuple[object, ...], *parts: object, notes: tuple[str, ...] = ()
) -> str:
    """Run a command that must be refused; what it says.

    Args:
        folder: Everything that the command may write lies in it; nothing may be left there.
        arguments: Of the command.
        parts: What the message must hold: the place, and what was found or expected there.
        notes: Names of files that a step writes to tell others that it has failed.
    """
    before = listing(folder)
    code, said = airshed(*arguments)
    assert code != 0, said
    assert "Traceback" not in said
    assert "where:" in said
    for part in parts:
        assert str(part) in said, f"{part!r} is not in:\n{said}"
    left = listing(folder) - before
    assert [path for path in left if path.name not in notes] == []
    return said


def listing(folder: Path) -> set[Path]:
    """Everything below a folder."""
    return set(folder.rglob("*"))
