"""What a training leaves when its last step is done."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import SEED, VARIANT, progress, tiny_study, trained

from airshed.data.prepared import Prepared
from airshed.integrity import provenance
from airshed.training import run as training


def test_nothing_that_was_computed_is_lost_at_the_end(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record fails; the next start finds everything done, on a machine without snakemake."""
    study = tiny_study()

    def fails(*_: object) -> None:
        raise PackageNotFoundError("something")

    with monkeypatch.context() as patch:
        patch.setattr(training, "outcome", fails)
        with pytest.raises(PackageNotFoundError):
            trained(study, VARIANT, SEED, prepared, tmp_path)
    assert len(pd.read_csv(tmp_path / "history.csv")) > 1
    first = (tmp_path / "history.csv").read_bytes()
    assert progress(tmp_path)["state"] == "failed"

    def known(library: str) -> str:
        if library == "snakemake":
            raise PackageNotFoundError(library)
        return version(library)

    monkeypatch.setattr(provenance, "version", known)
    record = json.loads(trained(study, VARIANT, SEED, prepared, tmp_path).read_text())
    assert record["versions"]["snakemake"] == "unknown"
    assert record["versions"]["numpy"] == version("numpy")
    assert (tmp_path / "history.csv").read_bytes() == first
    assert record["optimizer_steps"] == progress(tmp_path)["step"]
