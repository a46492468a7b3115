"""What all tests share: the project's folder, a small valid study, and what is made only once."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked import start_importing
from forked_workers import fork_workers
from made_once import MadeOnce

from airshed.config import Study, read_yaml, validate_study

ROOT = Path(__file__).resolve().parents[1]

# Before numpy and torch are imported. Nothing of this size is faster with more threads, and those
# of several test processes hinder each other.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
# Before the kernels are imported: they run in Triton's interpreter, on any machine.
os.environ["TRITON_INTERPRET"] = "1"
# Disks are not waited for; that and when they would be is tested by what is called.
os.fsync = lambda descriptor: None


def pytest_configure(config: pytest.Config) -> None:
    """Processes that share the tests are forked."""
    fork_workers(config)


def pytest_collection_finish() -> None:
    """All modules of tests are imported, and have said what processes of theirs need."""
    start_importing()
    gc.freeze()  # else all of that is looked through for garbage again and again


def pytest_unconfigure() -> None:
    """Pytest looks for garbage five times now."""
    gc.freeze()


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that a test runs in this process may say less; the next test hears all again."""
    logger = logging.getLogger("airshed")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Makes a folder once for all worker processes; nobody may change what is in it."""
    own = tmp_path_factory.getbasetemp()
    return MadeOnce((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared")


@pytest.fixture
def tiny_values() -> dict[str, Any]:
    """A small study as plain values, to be changed by tests."""
    tiny = read_yaml(ROOT / "tests/helpers/tiny_study.yaml")
    return tiny | read_yaml(ROOT / "config/variants.yaml")


@pytest.fixture
def tiny_study(tiny_values: dict[str, Any]) -> Study:
    """A small study on simulated data."""
    return validate_study(tiny_values, "tiny")
