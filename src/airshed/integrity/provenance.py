"""Where a result comes from: commit, versions of libraries, checksums."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from airshed.files import files_below

LIBRARIES = ("airshed", "numpy", "pytorch-lightning", "snakemake", "torch", "xarray", "zarr")
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Commit:
    """The code's commit; ``None`` where the package does not lie in a git checkout."""

    sha: str | None
    dirty: bool | None


def code_commit() -> Commit:
    """The commit of the checkout that holds this package, and whether it has local changes.

    What lies in ``results/``, or that it is a link to another disk, is no change of the code.
    """
    root, tracked = Path(__file__).resolve().parents[2], ("--porcelain", "--untracked-files=no")
    try:
        sha = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", *tracked, "--", ":/", ":(top,exclude)results")
    except (OSError, subprocess.CalledProcessError):
        return Commit(None, None)
    return Commit(sha, bool(changes))


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def processor() -> str:
    """The name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on, as far as they are known."""
    return {"python": platform.python_version()} | {name: version_of(name) for name in LIBRARIES}


def version_of(library: str) -> str:
    """The version of an installed library, or ``unknown``."""
    try:
        return version(library)
    except PackageNotFoundError:  # a source tree that was not installed, a library of the site
        return "unknown"


def sha256(path: Path) -> str:
    """Checksum of a file, or of a folder: of its files' names and checksums in sorted order."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(tree_files(path)):
            digest.update(f"{file.relative_to(path).as_posix()} {sha256(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        while block := stream.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def tree_files(folder: Path) -> list[Path]:
    """Every file below ``folder``, through links too, apart from Snakemake's own time stamps."""
    return [path for path in files_below(folder) if path.name != ".snakemake_timestamp"]
