"""Other runs of Snakemake in the same folder."""

from __future__ import annotations

from pathlib import Path

LOCKS = Path(".snakemake/locks")
DEPTH = 3  # of results/data/<name>


def other_runs(locks: Path = LOCKS) -> list[str]:
    """A line on what another run of Snakemake is making here, or was when killed; else nothing.

    Snakemake itself allows several runs that do not share any file.
    """
    made = {
        _folder(path)
        for lock in sorted(locks.glob("*.output.lock"))
        for path in _lines(lock)
        if path
    }
    if not made:
        return []
    return [
        f"another snakemake works in this folder, or was killed: it makes files in"
        f" {', '.join(sorted(made))}. If yours makes or reads the same files it does not start"
        ' ("cannot be locked"): wait for the other one, or run yours in a clone of its own;'
        " snakemake --unlock only if no other one runs any more"
    ]


def _folder(path: str) -> str:
    """The folder of a study, or of a dataset."""
    parts = Path(path).parts
    return str(Path(*parts[: DEPTH if "data" in parts[1:2] else DEPTH - 1]))


def _lines(lock: Path) -> list[str]:
    try:
        return lock.read_text(encoding="utf-8").splitlines()
    except OSError:  # the other one has just ended
        return []
