"""``manifest.json``: checksums of every input and output of a study, its config and its commit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from airshed.atomic import write_json
from airshed.config import Study
from airshed.progress import progress
from airshed.provenance import code_commit, sha256, tree_files, versions

FORMAT_VERSION = 1
# no results: what differs from run to run by its nature, and a report from before the study ended
NO_RESULTS = ("logs", "benchmarks", "partial")


def write_manifest(study: Study, results: Path, inputs: Sequence[Path], output: Path) -> None:
    """Hash the files below ``results`` and ``inputs`` (files or folders) into ``output``.

    Paths are written as they were given, so that a manifest made in the project's folder can be
    checked there by ``sha256sum``.
    """
    outputs = [
        path for path in tree_files(results) if _is_result(path.relative_to(results), path, output)
    ]
    sources = [file for path in inputs for file in (tree_files(path) if path.is_dir() else [path])]
    commit = code_commit()
    write_json(
        output,
        {
            "format_version": FORMAT_VERSION,
            "study": study.study,
            "commit": commit.sha,
            "dirty": commit.dirty,
            "versions": versions(),
            "config": study.model_dump(mode="json"),
            "inputs": _checksums(sources, "checksums of inputs"),
            "outputs": _checksums(outputs, "checksums of results"),
        },
    )


def _is_result(relative: Path, path: Path, output: Path) -> bool:
    return path != output and not set(relative.parts) & set(NO_RESULTS)


def _checksums(files: Sequence[Path], what: str) -> dict[str, str]:
    files = sorted(set(files))
    with ThreadPoolExecutor(max_workers=2) as pool:
        digests = list(progress(pool.map(sha256, files), what, total=len(files)))
    return {str(path): digest for path, digest in zip(files, digests, strict=True)}
