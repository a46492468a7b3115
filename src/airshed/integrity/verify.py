"""Whether a study is still what its manifest says, and whether two studies have equal numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from airshed.errors import AirshedError
from airshed.integrity.formats import MANIFEST, read_json
from airshed.integrity.manifest import NAME, NUMBERS, checksums, input_files, result_files
from airshed.integrity.provenance import sha256


def verify_study(results: Path, with_inputs: bool = True) -> int:
    """Hash every file of a study again.

    Args:
        results: The study's folder; it may have been renamed or, with its project, moved.
        with_inputs: Whether to hash raw and prepared data too.

    Returns:
        How many files are as in the manifest.

    Raises:
        AirshedError: Files have changed, are missing, or are new; each is named.
    """
    manifest = read_json(results / NAME, MANIFEST)
    recorded, project = Path(manifest["results"]), project_of(results, manifest)
    expected = {
        results / Path(name).relative_to(recorded): digest
        for name, digest in manifest["outputs"].items()
    }
    files = result_files(results)
    if with_inputs:
        expected |= {project / name: digest for name, digest in manifest["inputs"].items()}
        files += input_files(project / name for name in manifest["given"])
    found = checksums(filter(Path.is_file, files), "files hashed again")
    different = differences({str(path): digest for path, digest in expected.items()}, found)
    if different:
        raise AirshedError(
            "the study is not what its manifest says:\n" + "\n".join(different),
            where=results / NAME,
            found=f"{len(different)} differences in {len(expected)} files",
            hint="restore the files from a copy, or delete those that changed and run the workflow",
        )
    return len(found)


def project_of(results: Path, manifest: Mapping[str, Any]) -> Path:
    """The folder in which a study was made, wherever it lies now."""
    return results.resolve().parents[len(Path(manifest["results"]).parts) - 1]


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """A line for each file whose checksum is another one, that is missing, or that is new."""
    states = {
        "changed": sorted(
            name for name in expected.keys() & found if expected[name] != found[name]
        ),
        "missing": sorted(expected.keys() - found),
        "new": sorted(found.keys() - expected),
    }
    return [f"    {state:<8} {name}" for state, names in states.items() for name in names]


def compare_numbers(results: Path, other: Path) -> None:
    """Compare scores and comparisons of two studies, byte for byte.

    Raises:
        AirshedError: They differ; the message has the differences, and those of their determinants.
    """
    problems = [
        f"    {name}: {_table_difference(results / name, other / name)}"
        for name in NUMBERS
        if sha256(_existing(results / name)) != sha256(_existing(other / name))
    ]
    if not problems:
        return
    reasons = [read_json(folder / NAME, MANIFEST)["numbers"] for folder in (results, other)]
    one, two = (reason["determined_by"] for reason in reasons)
    raise AirshedError(
        "two studies have different numbers:\n" + "\n".join(problems),
        where=f"{results} and {other}",
        found="different " + ", ".join(_unequal(one, two))
        if _unequal(one, two)
        else "nothing in their manifests that would explain it",
    )


def _unequal(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[str]:
    return [key for key in one if one[key] != two.get(key)]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise AirshedError(
            "a study lacks its numbers", where=path, hint="run the workflow to its end"
        )
    return path


def _table_difference(one: Path, two: Path) -> str:
    """How many rows of two tables differ."""
    tables = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in (one, two)]
    if tables[0].shape != tables[1].shape or list(tables[0]) != list(tables[1]):
        return "tables of another form"
    rows = int((tables[0] != tables[1]).any(axis=1).sum())
    return f"{rows} of {len(tables[0])} rows differ"
