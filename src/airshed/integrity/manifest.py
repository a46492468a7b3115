"""``manifest.json``: checksums of every input and output of a study, its config and its commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from airshed.config import Study
from airshed.graph.products import leading_to
from airshed.graph.views import canonical
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import MANIFEST, VERSION
from airshed.integrity.provenance import (
    Commit,
    code_commit,
    processor,
    sha256,
    tree_files,
    versions,
)
from airshed.progress import progress

NAME = "manifest.json"
# folders of files that differ from run to run, and of reports before the study ended
NO_RESULTS = ("logs", "benchmarks", "partial", "made", "mlruns")
REPORT = "report.html"
DRAWN_LATER = (".html", ".zip")  # reports by Snakemake, beside the study's own
NUMBERS = ("scores.csv", "comparisons.csv")


def write_manifest(study: Study, results: Path, inputs: Sequence[Path], output: Path) -> None:
    """Hash the files below ``results`` and ``inputs`` (files or folders) into ``output``.

    Paths are written as they were given, so that a manifest made in the project's folder can be
    checked there by ``sha256sum``.
    """
    sources = checksums(input_files(inputs), "checksums of inputs")
    outputs = checksums(result_files(results), "checksums of results")
    commit = code_commit()
    write_json(
        output,
        {
            VERSION: MANIFEST.version,
            "study": study.study,
            "commit": commit.sha,
            "dirty": commit.dirty,
            "versions": versions(),
            "config": study.model_dump(mode="json"),
            "results": str(results),
            "given": [str(path) for path in inputs],
            "numbers": {
                "sha256": {name: outputs[str(results / name)] for name in NUMBERS},
                "determined_by": _determinants(study, commit, inputs[0], sources),
            },
            "inputs": sources,
            "outputs": outputs,
        },
    )


def _determinants(
    study: Study, commit: Commit, raw: Path, sources: Mapping[str, str]
) -> dict[str, Any]:
    """What the bytes of NUMBERS depend on. Equal entries, equal bytes (on CPUs)."""
    settings = canonical(
        leading_to("comparison"), study, chosen={"variant_stanzas": study.variants}
    )
    shaping = json.dumps(settings, sort_keys=True)
    of_raw = [
        f"{Path(name).relative_to(raw).as_posix()} {digest}"
        for name, digest in sources.items()
        if Path(name).is_relative_to(raw)
    ]
    return {
        "settings": hashlib.sha256(shaping.encode()).hexdigest(),
        "raw_data": hashlib.sha256("\n".join(of_raw).encode()).hexdigest(),
        "code": f"{commit.sha}{' with local changes' if commit.dirty else ''}",
        "versions": versions(),
        "processor": processor(),
        "processes": {name: study.jobs.request(name).processes for name in study.variants},
    }


def input_files(inputs: Iterable[Path]) -> list[Path]:
    """The files of inputs that are files or folders."""
    return [file for path in inputs for file in (tree_files(path) if path.is_dir() else [path])]


def result_files(results: Path) -> list[Path]:
    """The files of a results folder that a manifest lists."""

    def counts(path: Path) -> bool:
        place = path.relative_to(results)
        if len(place.parts) == 1 and place.suffix in DRAWN_LATER:
            return place.name == REPORT
        return place.name != NAME and not {*place.parts} & {*NO_RESULTS}

    return [path for path in tree_files(results) if counts(path)]


def checksums(files: Iterable[Path], what: str) -> dict[str, str]:
    """SHA-256 of files, by their path."""
    chosen = sorted(set(files))
    with ThreadPoolExecutor(max_workers=2) as pool:
        digests = list(progress(pool.map(sha256, chosen), what, total=len(chosen)))
    return {str(path): digest for path, digest in zip(chosen, digests, strict=True)}
